//! What all requests of a server share: the application, its tasks, and where faults are told.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hoop_net::{Renewal, WebSocketOptions};
use hoop_sched::SweptList;
use http::request::Parts;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};
use tokio::task::AbortHandle;

use super::caller::{Caller, CallerRules};
use super::conversation::{Conversation, ReceiveFunction, SendFunction};
use super::deadlines::{Deadlines, Running};
use super::direct_calls::{DirectCall, Place, callable};
use super::exchange::Exchange;
use super::request_id::{RequestId, RequestIds};
use super::request_line::RequestLine;
use super::scope::{Ends, ScopeTemplates};
use super::session::Session;
use super::tally::Tally;
use crate::event_loop::LoopCore;
use crate::event_loop::call::{current_context, in_context, leaves_the_loop};
use crate::event_loop::calls;
use crate::gil_cell::GilCell;
use crate::imports::Imports;
use crate::web::Door;

/// One served application.
pub struct ServerState {
    python_loop: Py<LoopCore>,
    application: Py<PyAny>,
    /// The application's own way in, if it has one.
    pub door: Option<Py<Door>>,
    /// `hoopsnake._journal.Journal`: errors and accesses, in Python's logging.
    journal: Py<PyAny>,
    pub observed: Observed,
    pub tally: GilCell<Tally>,
    /// How WebSockets are served.
    pub websocket: WebSocketOptions,
    pub scopes: ScopeTemplates,
    task_keywords: Py<PyDict>,
    /// Of whoever made the server; each call of the application gets a copy.
    context: Py<PyAny>,
    /// Application tasks that wait, by address: held so that none vanishes, and for the shutdown.
    tasks: GilCell<HashMap<usize, Running>>,
    deadlines: Deadlines,
    /// WebSockets, to tell them of the shutdown.
    sessions: GilCell<SweptList<Weak<Session>>>,
    /// Streams of events, likewise.
    streams: GilCell<SweptList<Weak<Exchange>>>,
    stopping: GilCell<bool>,
}

/// What is to be known of each request.
pub struct Observed {
    pub access_log: bool,
    /// Whether durations are counted.
    pub measures: GilCell<bool>,
    pub callers: CallerRules,
}

/// What follows once an application's coroutine has ended.
pub trait Ending: Send + Sync + 'static {
    /// `failure` is the exception that ended it, if one did.
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>);

    /// The same, with what it returned.
    fn returned(self: Arc<Self>, py: Python<'_>, outcome: PyResult<Py<PyAny>>) {
        self.ended(py, outcome.err());
    }

    /// It did not end at once, and is a task now.
    fn goes_on(&self, _py: Python<'_>, _task: &Py<PyAny>) {}

    /// What the request is called, if it is called anything.
    fn request_id(&self, _py: Python<'_>) -> Option<Py<PyString>> {
        None
    }

    /// Whether the application is at work on an answer that its client waits for.
    fn owes_an_answer(&self, _py: Python<'_>) -> bool {
        false
    }

    /// It has been at work for longer than `limit`; it will be cancelled.
    fn overdue(&self, _py: Python<'_>, _limit: Duration) {}
}

/// What a cancelled task is told.
const OUT_OF_TIME: &str = "the response did not begin in time";

impl ServerState {
    pub fn new(
        python_loop: &Bound<'_, LoopCore>,
        application: Py<PyAny>,
        journal: Py<PyAny>,
        observed: Observed,
        websocket: WebSocketOptions,
        scopes: ScopeTemplates,
        deadlines: Deadlines,
    ) -> PyResult<Self> {
        let task_keywords = Imports::get(python_loop.py())?.eager_start.bind(python_loop.py()).copy()?;
        task_keywords.set_item("loop", python_loop)?;
        let door = application.bind(python_loop.py()).getattr_opt(intern!(python_loop.py(), "_door"))?;
        Ok(Self {
            python_loop: python_loop.clone().unbind(),
            application,
            door: door.and_then(|door| door.cast_into().ok()).map(Bound::unbind),
            journal,
            observed,
            tally: GilCell::default(),
            websocket,
            scopes,
            task_keywords: task_keywords.unbind(),
            context: current_context(python_loop.py())?,
            tasks: GilCell::default(),
            deadlines,
            sessions: GilCell::default(),
            streams: GilCell::default(),
            stopping: GilCell::new(false),
        })
    }

    pub fn python_loop<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, LoopCore> {
        self.python_loop.bind(py)
    }

    /// Runs a task of the engine on the loop.
    pub fn spawn(&self, py: Python<'_>, task: impl Future<Output = ()> + 'static) -> Option<AbortHandle> {
        self.python_loop.get().state.spawn(py, task)
    }

    /// Calls the application and runs it as a task, at once where tasks can start eagerly (3.12).
    pub fn start<C: Conversation + Ending>(
        self: &Arc<Self>,
        py: Python<'_>,
        scope: PyResult<Bound<'_, PyDict>>,
        conversation: Arc<C>,
    ) {
        let call = || {
            let receive = ReceiveFunction::create(py, conversation.clone())?;
            let send = SendFunction::create(py, conversation.clone())?;
            calls::call(
                py,
                &self.application,
                &[scope?.as_any().as_unbound(), receive.as_any(), send.as_any()],
            )
        };
        self.run(py, call, conversation.clone());
    }

    /// Runs the coroutine that `call` returns as a task, likewise.
    pub fn run(
        self: &Arc<Self>,
        py: Python<'_>,
        call: impl FnOnce() -> PyResult<Py<PyAny>>,
        ending: Arc<dyn Ending>,
    ) {
        match self.start_task(py, ending.request_id(py), call) {
            Ok(task) => self.watch(py, task, ending),
            Err(error) => self.end(py, ending, Err(error)),
        }
    }

    fn start_task(
        &self,
        py: Python<'_>,
        id: Option<Py<PyString>>,
        call: impl FnOnce() -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let keywords = self.task_keywords.bind(py);
        let context = copy_of(py, &self.context)?;
        let coroutine = in_context(py, &context, || {
            if let Some(id) = id {
                Imports::get(py)?.request_id_variable.call_method1(py, intern!(py, "set"), (id,))?;
            }
            call()
        })?
        .into_bound(py);
        // The task takes its own reference on the context before it runs anything.
        keywords.set_item(intern!(py, "context"), context)?;
        calls::call_with(py, &Imports::get(py)?.asyncio_task, &PyTuple::new(py, [coroutine])?, Some(keywords))
    }

    fn watch(self: &Arc<Self>, py: Python<'_>, task: Py<PyAny>, ending: Arc<dyn Ending>) {
        let done = Imports::get(py)
            .and_then(|imports| calls::call(py, &imports.task_done, &[&task]))
            .and_then(|done| done.is_truthy(py));
        if matches!(done, Ok(true)) {
            self.end(py, ending, outcome_of(py, &task));
            return;
        }
        let added = TaskEnd::create(py, self.clone(), ending.clone()).and_then(|callback| {
            calls::call_method(&task, intern!(py, "add_done_callback"), &[callback.as_any()])
        });
        match added {
            Ok(_) => {
                ending.goes_on(py, &task);
                let running = Running::new(task, ending);
                let before = self.tasks.borrow_mut(py).insert(running.task.as_ptr() as usize, running);
                drop(before);
            }
            Err(error) => self.end(py, ending, Err(error)),
        }
    }

    /// The application is through with a conversation. Ctrl-C and `sys.exit()` stop the loop too.
    fn end(&self, py: Python<'_>, ending: Arc<dyn Ending>, outcome: PyResult<Py<PyAny>>) {
        let failure = outcome.as_ref().err();
        let fatal = failure.filter(|error| leaves_the_loop(py, error)).map(|error| error.clone_ref(py));
        ending.returned(py, outcome);
        if let Some(fatal) = fatal {
            self.python_loop.get().state.fail(py, fatal);
        }
    }

    /// Tells the error log of an exception that left the application.
    pub fn application_failed(&self, py: Python<'_>, error: PyErr, line: &RequestLine, client_gone: bool) {
        if !leaves_the_loop(py, &error) && !self.has_cancelled(py, &error) {
            self.tally.borrow_mut(py).failed += u64::from(!client_gone);
            let stopping = self.stopping.get(py);
            let details = (error.into_value(py), line.name(), client_gone, stopping, line.id(py));
            self.tell(py, "application_failed", details);
        }
    }

    /// Who sent a request, and what it is called.
    pub fn caller(&self, py: Python<'_>, parts: &Parts, ends: &Ends) -> (Caller, Option<Box<RequestId>>) {
        let name = |ids: &RequestIds| {
            ids.name(py, &parts.headers, ends.is_trusted)
                .inspect_err(|error| error.clone_ref(py).write_unraisable(py, None))
                .map(Box::new)
                .ok()
        };
        (self.observed.callers.caller(py, parts, ends), self.observed.callers.ids().and_then(name))
    }

    /// From now on a cancelled task is one that the server has cancelled.
    pub fn stop(&self, py: Python<'_>) {
        self.stopping.set(py, true);
    }

    /// Whether this ended a task because the server stops: then it is nobody's fault.
    pub fn has_cancelled(&self, py: Python<'_>, error: &PyErr) -> bool {
        self.stopping.get(py) && is_cancellation(py, error)
    }

    /// Application tasks that have not ended.
    pub fn tasks(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.tasks.borrow(py).values().map(|running| running.task.clone_ref(py)).collect()
    }

    /// One of them.
    pub fn any_task(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.tasks.borrow(py).values().next().map(|running| running.task.clone_ref(py))
    }

    /// Gives up on applications that have owed an answer for too long: answered in their stead, and
    /// cancelled.
    pub fn tick(&self, now: Duration) {
        let Some(limit) = self.deadlines.limit() else { return };
        Python::attach(|py| {
            let overdue = self.deadlines.passed(py, self.tasks.borrow_mut(py).values_mut(), limit, now);
            for (task, ending) in overdue {
                ending.overdue(py, limit);
                if let Err(error) = task.call_method1(py, intern!(py, "cancel"), (OUT_OF_TIME,)) {
                    error.write_unraisable(py, Some(task.bind(py)));
                }
            }
        });
    }

    /// Keeps track of a WebSocket for as long as it lives.
    pub fn remember(&self, py: Python<'_>, session: &Arc<Session>) {
        let entry = Arc::downgrade(session);
        self.sessions.borrow_mut(py).push_and_sweep(entry, |entry| entry.strong_count() > 0);
    }

    /// WebSockets that are open or opening.
    pub fn sessions(&self, py: Python<'_>) -> Vec<Arc<Session>> {
        self.sessions.borrow(py).iter().filter_map(Weak::upgrade).collect()
    }

    /// Keeps track of a response that goes on for as long as its client stays.
    pub fn remember_stream(&self, py: Python<'_>, exchange: &Arc<Exchange>) {
        let entry = Arc::downgrade(exchange);
        self.streams.borrow_mut(py).push_and_sweep(entry, |entry| entry.strong_count() > 0);
    }

    /// Tells all WebSockets and streams of events, and through them their applications, that the server
    /// stops.
    pub fn tell_sessions_to_leave(&self, py: Python<'_>) {
        for session in self.sessions(py) {
            session.going_away(py);
        }
        let streams: Vec<_> = self.streams.borrow(py).iter().filter_map(Weak::upgrade).collect();
        for exchange in streams {
            exchange.going_away(py);
        }
    }

    /// Tells the journal what came of reading the TLS files again.
    pub fn tell_renewal(&self, py: Python<'_>, renewal: &Renewal) {
        match renewal {
            Renewal::Unchanged => {}
            Renewal::Renewed => self.tell(py, "certificates_renewed", ()),
            Renewal::Kept(error) => self.tell(py, "certificates_kept", (error.to_string(),)),
        }
    }

    /// Tells the journal something; a journal that fails is told to Python's last resort.
    pub fn tell<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
    ) {
        let told = arguments.into_pyobject(py).map_err(Into::into).and_then(|arguments| {
            calls::call_with(py, &self.journal.getattr(py, PyString::intern(py, method))?, &arguments, None)
        });
        if let Err(error) = told {
            error.write_unraisable(py, Some(self.journal.bind(py)));
        }
    }
}

/// Whether a task was cancelled.
pub fn is_cancellation(py: Python<'_>, error: &PyErr) -> bool {
    Imports::get(py).is_ok_and(|imports| error.is_instance(py, imports.cancelled_error.bind(py)))
}

fn copy_of(py: Python<'_>, context: &Py<PyAny>) -> PyResult<Py<PyAny>> {
    // SAFETY: the GIL is held and `context` is a live object; a wrong type is an error, not a crash.
    Ok(unsafe { Bound::from_owned_ptr_or_err(py, pyo3::ffi::PyContext_Copy(context.as_ptr())) }?.unbind())
}

/// What a finished task ended with; asking for its exception counts as retrieving it.
fn outcome_of(py: Python<'_>, task: &Py<PyAny>) -> PyResult<Py<PyAny>> {
    calls::call(py, &Imports::get(py)?.task_result, &[task])
}

/// The done-callback of an application's task.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
struct TaskEnd {
    place: Place,
    server: Arc<ServerState>,
    ending: Arc<dyn Ending>,
}

impl TaskEnd {
    fn create(py: Python<'_>, server: Arc<ServerState>, ending: Arc<dyn Ending>) -> PyResult<Py<Self>> {
        static READY: PyOnceLock<()> = PyOnceLock::new();
        callable(py, &READY, Self { place: Place::of::<Self>(), server, ending })
    }
}

#[pymethods]
impl TaskEnd {
    fn __call__(&self, py: Python<'_>, task: Py<PyAny>) {
        let held = self.server.tasks.borrow_mut(py).remove(&(task.as_ptr() as usize));
        drop(held);
        // Not `end`: an exception that stops the loop has left it from the task's own step.
        self.ending.clone().returned(py, outcome_of(py, &task));
    }
}

impl DirectCall for TaskEnd {
    fn place(&self) -> &Place {
        &self.place
    }

    #[inline]
    fn call(&self, py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> Option<PyResult<Py<PyAny>>> {
        match arguments {
            [task] => {
                self.__call__(py, task.clone().unbind());
                Some(Ok(py.None()))
            }
            _ => None,
        }
    }
}
