//! The pump: the tokio task that runs asyncio's callbacks, a turn at a time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hoop_net::Alarm;
use pyo3::prelude::*;

use super::calls;
use super::handle::Handle;
use super::runtime::nanoseconds;
use super::state::LoopState;
use crate::imports::Imports;

/// Callbacks run before I/O gets its chance again: each look at the poller costs a system call.
const CALLBACKS_BETWEEN_POLLS: usize = 256;
/// Turns run before I/O gets its chance again, for chains of one callback a turn.
const TURNS_BETWEEN_POLLS: usize = 64;
/// After so long without parking, other threads get the GIL (CPython's switch interval).
const GIL_SWITCH_NANOSECONDS: u64 = 5_000_000;

/// Runs ready callbacks and due timers until the loop is told to stop.
pub struct Pump {
    state: Arc<LoopState>,
    /// None until a timer is waited for: many a loop never does.
    alarm: Option<Alarm>,
    gil_held_since: u64,
}

enum Turns {
    Stopped,
    MoreToRun,
    Idle,
}

/// Runs the loop until it stops. A loop that was stopped beforehand polls I/O once and runs one turn.
pub async fn run(state: Arc<LoopState>, stopped_beforehand: bool) {
    if stopped_beforehand {
        tokio::task::yield_now().await;
    }
    Pump { state, alarm: None, gil_held_since: nanoseconds() }.await;
}

impl Pump {
    fn run_turns(&self, py: Python<'_>) -> Turns {
        let state = &*self.state;
        let mut callbacks = 0;
        for _ in 0..TURNS_BETWEEN_POLLS {
            if state.has_failed(py) {
                return Turns::Stopped;
            }
            let now = nanoseconds();
            self.queue_due_timers(py, now);
            let in_turn = state.ready.borrow_mut(py).begin_turn();
            state.meter.borrow_mut(py).turn_began(now, in_turn);
            callbacks += in_turn;
            loop {
                let next = state.ready.borrow_mut(py).next_in_turn();
                let Some(handle) = next else { break };
                let handle = handle.into_bound(py);
                if let Err(fatal) = Handle::run(&handle, state) {
                    state.fail(py, fatal);
                    return Turns::Stopped;
                }
                state.keep_if_spare(handle);
            }
            state.outputs.send(py);
            state.turn_ended(py);
            if state.stopping.get(py) {
                return Turns::Stopped;
            }
            if state.ready.borrow(py).is_empty() {
                return Turns::Idle;
            }
            if callbacks >= CALLBACKS_BETWEEN_POLLS {
                break;
            }
        }
        Turns::MoreToRun
    }

    fn queue_due_timers(&self, py: Python<'_>, nanoseconds: u64) {
        let Some(deadline) = self.state.timers.borrow(py).next_deadline() else { return };
        let now = nanoseconds as f64 / 1e9;
        if deadline <= now {
            self.state.meter.borrow_mut(py).timer_fell_due((deadline * 1e9) as u64);
        }
        loop {
            let due = self.state.timers.borrow_mut(py).pop_due(now);
            let Some(timer) = due else { break };
            timer.0.get().left_the_heap(py);
            let handle = timer.0.into_bound(py).into_super().unbind();
            self.state.ready.borrow_mut(py).push(handle);
        }
    }

    /// Waits for the next timer; says whether it is due already.
    fn wait_for_timer(&mut self, py: Python<'_>, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.state.timers.borrow(py).next_deadline() else {
            return false;
        };
        // A cast would make NaN 0. Such a timer is looked at when another one is due.
        let deadline = if deadline.is_nan() { u64::MAX } else { (deadline * 1e9).ceil() as u64 };
        self.alarm.get_or_insert_with(Alarm::new).poll(deadline, nanoseconds(), cx)
    }

    /// Lets other Python threads run if this one has kept the GIL for long.
    ///
    /// Python code hands it over where it is asked to, callbacks in C do not look. So a Python
    /// function is called: to give the GIL up here and take it back at once would only make whoever
    /// waits for it begin its waiting anew.
    fn share_gil(&mut self, py: Python<'_>, now: u64) {
        if now - self.gil_held_since >= GIL_SWITCH_NANOSECONDS {
            self.gil_held_since = now;
            let shared = Imports::get(py).and_then(|imports| calls::call(py, &imports.share_gil, &[]));
            if let Err(interrupt) = shared {
                self.state.fail(py, interrupt);
            }
        }
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        Python::attach(|py| {
            this.state.set_waker(py, cx.waker());
            this.state.set_awake(py, true);
            this.state.outputs.send(py);
            let turns = this.run_turns(py);
            let now = nanoseconds();
            this.state.meter.borrow_mut(py).turns_ended(now, matches!(turns, Turns::MoreToRun));
            match turns {
                Turns::Stopped => {
                    // tokio may run other tasks before it returns: what they write goes out at once.
                    this.state.forget_waker(py);
                    this.state.outputs.send(py);
                    return Poll::Ready(());
                }
                Turns::Idle => {
                    this.state.set_awake(py, false);
                    if !this.wait_for_timer(py, cx) {
                        return Poll::Pending;
                    }
                    this.state.set_awake(py, true);
                }
                Turns::MoreToRun => this.share_gil(py, now),
            }
            // Not `wake_by_ref`: a deferred wake-up comes after the poller was looked at.
            let _ = pin!(tokio::task::yield_now()).poll(cx);
            Poll::Pending
        })
    }
}
