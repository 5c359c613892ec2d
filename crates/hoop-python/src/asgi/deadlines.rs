//! Applications that take too long to begin their answers.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use super::server_state::Ending;
use crate::gil_cell::GilCell;

/// A task of the application that has not ended.
pub struct Running {
    pub task: Py<PyAny>,
    ending: Arc<dyn Ending>,
    /// For how long it has owed an answer; None before the first look, and once that was too long.
    owed: Option<Duration>,
    given_up: bool,
}

impl Running {
    pub fn new(task: Py<PyAny>, ending: Arc<dyn Ending>) -> Self {
        Self { task, ending, owed: None, given_up: false }
    }

    /// Adds what has passed since the last look; whether it is too long now.
    fn grow(&mut self, py: Python<'_>, passed: Duration, limit: Duration) -> bool {
        if self.given_up || !self.ending.owes_an_answer(py) {
            return false;
        }
        // The first look does not know how long it is since the beginning: less than `passed`.
        let owed = self.owed.map_or(Duration::ZERO, |owed| owed + passed);
        self.owed = Some(owed);
        self.given_up = owed > limit;
        self.given_up
    }
}

/// How long an application may owe an answer, looked at now and then.
pub struct Deadlines {
    limit: Option<Duration>,
    looked: GilCell<Duration>,
}

impl Deadlines {
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit, looked: GilCell::new(Duration::ZERO) }
    }

    /// The limit, if there is one.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Those of the tasks whose time has run out by `now`, each once.
    pub fn passed<'a>(
        &self,
        py: Python<'_>,
        tasks: impl Iterator<Item = &'a mut Running>,
        limit: Duration,
        now: Duration,
    ) -> Vec<(Py<PyAny>, Arc<dyn Ending>)> {
        let passed = now.saturating_sub(self.looked.replace(py, now));
        tasks
            .filter_map(|running| running.grow(py, passed, limit).then_some(&*running))
            .map(|running| (running.task.clone_ref(py), running.ending.clone()))
            .collect()
    }
}
