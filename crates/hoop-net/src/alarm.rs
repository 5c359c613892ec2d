//! An alarm for one task: a timerfd of the kernel's, or tokio's wheel where there is none.
//!
//! tokio's wheel counts milliseconds, and so does the time-out of its poller. Both round up, and a
//! sleep of 10 ms takes 11.2; the kernel's timers round to nothing worth the word (ADR 52).
//!
//! Rules for the unsafe code:
//! 1. An `OwnedFd` keeps one open descriptor, always the same, for as long as it lives.
//! 2. What runs in a forked child adds to a number that is atomic, and does nothing else.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

#[cfg(target_os = "linux")]
use kernel_timer::KernelTimer;

/// The longest wait, asyncio's too; a deadline farther away is looked at again then.
const LONGEST_WAIT: u64 = 24 * 3600 * 1_000_000_000;
/// Deadlines within so many nanoseconds of one another share a wake-up.
const GRAIN: u64 = 100_000;

/// Wakes one task at one moment, which may be moved.
#[derive(Debug)]
pub struct Alarm {
    bell: Bell,
    /// The moment that the bell is set to: at or before the one that is waited for, but for the grain.
    set_to: u64,
}

#[derive(Debug)]
enum Bell {
    #[cfg(target_os = "linux")]
    Kernel(KernelTimer),
    Wheel(Pin<Box<Sleep>>),
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// An alarm of the runtime that this is called in. It is the wheel's, so less exact, where the
    /// process has no descriptor to spare.
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(timer) = KernelTimer::new() {
            return Self { bell: Bell::Kernel(timer), set_to: 0 };
        }
        Self::on_the_wheel()
    }

    fn on_the_wheel() -> Self {
        Self { bell: Bell::Wheel(Box::pin(tokio::time::sleep(Duration::ZERO))), set_to: 0 }
    }

    /// Whether `deadline` has come. If not, the task is woken when it has; it may be woken sooner, by
    /// what was waited for before. Both times are nanoseconds of CLOCK_MONOTONIC.
    pub fn poll(&mut self, deadline: u64, now: u64, cx: &mut Context<'_>) -> bool {
        if deadline <= now {
            return true;
        }
        #[cfg(target_os = "linux")]
        if matches!(&self.bell, Bell::Kernel(timer) if !timer.is_ours()) {
            *self = Self::on_the_wheel();
        }
        let moment = deadline.min(now.saturating_add(LONGEST_WAIT)).div_ceil(GRAIN) * GRAIN;
        // To ring once too often costs a wake-up; to be set anew for each time-out that was not
        // needed would cost each of them a system call.
        if moment < self.set_to || self.set_to <= now {
            self.set_to = moment;
            match &mut self.bell {
                #[cfg(target_os = "linux")]
                Bell::Kernel(timer) => timer.set(moment),
                Bell::Wheel(sleep) => {
                    let ahead = Duration::from_nanos(moment.saturating_sub(now));
                    sleep.as_mut().reset(Instant::now() + ahead);
                }
            }
        }
        match &mut self.bell {
            #[cfg(target_os = "linux")]
            Bell::Kernel(timer) => timer.listen(cx),
            Bell::Wheel(sleep) => {
                // Only if the clocks differ. The task looks again then, as it would miss its wake-up.
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
        }
        false
    }
}

#[cfg(target_os = "linux")]
mod kernel_timer {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    const NANOSECONDS: u64 = 1_000_000_000;

    /// How many forks lie between this process and the one that first counted.
    static FORKS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    /// Has forks counted, from the first call on.
    fn count_forks() -> io::Result<()> {
        static COUNTED: OnceLock<i32> = OnceLock::new();
        // SAFETY: rule 2.
        match COUNTED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forked)) }) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(*error)),
        }
    }

    /// A timerfd that is told absolute times. It is never read: to set it makes it unready.
    #[derive(Debug)]
    pub struct KernelTimer {
        /// None once it has turned out to be the parent's.
        timer: Option<AsyncFd<OwnedFd>>,
        forks: u32,
    }

    impl KernelTimer {
        pub fn new() -> io::Result<Self> {
            count_forks()?;
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: rule 1.
            let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
            Ok(Self { timer: Some(timer), forks: FORKS.load(Ordering::Relaxed) })
        }

        /// Whether it is this process's, and not the parent's, who goes on with it.
        pub fn is_ours(&self) -> bool {
            self.forks == FORKS.load(Ordering::Relaxed)
        }

        /// Rings at `moment`, which is not 0, and not before; at once if it is past.
        pub fn set(&self, moment: u64) {
            let Some(timer) = &self.timer else { return };
            let once = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: (moment / NANOSECONDS) as i64,
                    tv_nsec: (moment % NANOSECONDS) as _,
                },
            };
            let set = timerfd_settime(timer.get_ref(), TimerfdTimerFlags::ABSTIME, &once);
            debug_assert!(set.is_ok(), "a timer of ours takes every time: {set:?}");
        }

        /// Wakes the task when it rings next.
        pub fn listen(&self, cx: &mut Context<'_>) {
            let Some(timer) = &self.timer else { return };
            // What rang before is over; an error is the runtime's end, which drops the task.
            while let Poll::Ready(Ok(mut rang)) = timer.poll_read_ready(cx) {
                rang.clear_ready();
            }
        }
    }

    impl Drop for KernelTimer {
        /// A forked child shares timer and poller with its parent: to take the one out of the other here
        /// would leave the parent without.
        fn drop(&mut self) {
            if !self.is_ours() {
                std::mem::forget(self.timer.take());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    fn now() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    /// Waits as the pump does; how often it was looked at.
    async fn wait(alarm: &mut Alarm, deadline: u64) -> usize {
        let mut looks = 0;
        poll_fn(|cx| {
            looks += 1;
            if alarm.poll(deadline, now(), cx) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        looks
    }

    fn both_kinds() -> [Alarm; 2] {
        [Alarm::new(), Alarm::on_the_wheel()]
    }

    #[test]
    fn it_rings_at_each_of_its_moments_and_not_before() {
        runtime().block_on(async {
            for mut alarm in both_kinds() {
                for ahead in [3, 1, 2] {
                    let deadline = now() + ahead * MILLISECOND;
                    let looks = wait(&mut alarm, deadline).await;
                    assert!(now() >= deadline);
                    assert!(looks <= 3, "{looks} looks for one moment");
                }
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_is_late_by_less_than_the_wheel_would_be() {
        runtime().block_on(async {
            let mut alarm = Alarm::new();
            let mut late = Vec::new();
            // A busy machine has many of them late. The wheel is, by 1.2 ms in the mean, on any machine.
            for _ in 0..5 {
                late.clear();
                for _ in 0..15 {
                    let deadline = now() + 2_500_000;
                    wait(&mut alarm, deadline).await;
                    late.push(now() - deadline);
                }
                late.sort_unstable();
                if late[3] < 400_000 {
                    return;
                }
            }
            panic!("late by {late:?} ns");
        });
    }

    #[test]
    fn one_that_is_set_to_an_earlier_moment_rings_then() {
        runtime().block_on(async {
            for mut alarm in both_kinds() {
                let far = now() + 3_600_000 * MILLISECOND;
                poll_fn(|cx| {
                    assert!(!alarm.poll(far, now(), cx));
                    Poll::Ready(())
                })
                .await;
                wait(&mut alarm, now() + MILLISECOND).await;
                assert!(now() < far);
            }
        });
    }

    #[test]
    fn what_was_waited_for_before_wakes_once_and_the_later_moment_is_kept() {
        runtime().block_on(async {
            for mut alarm in both_kinds() {
                let soon = now() + MILLISECOND;
                poll_fn(|cx| {
                    assert!(!alarm.poll(soon, now(), cx));
                    Poll::Ready(())
                })
                .await;
                let deadline = soon + 100 * MILLISECOND;
                let looks = wait(&mut alarm, deadline).await;
                assert!(now() >= deadline);
                assert!((2..=4).contains(&looks), "{looks} looks");
            }
        });
    }

    #[test]
    fn deadlines_that_move_away_cost_no_system_call() {
        let runtime = runtime();
        let _context = runtime.enter();
        let cx = &mut Context::from_waker(Waker::noop());
        for mut alarm in both_kinds() {
            let now = now();
            assert!(!alarm.poll(now + 50 * MILLISECOND, now, cx));
            let set_to = alarm.set_to;
            for later in 51..60 {
                assert!(!alarm.poll(now + later * MILLISECOND, now, cx));
                assert_eq!(alarm.set_to, set_to);
            }
            assert!(!alarm.poll(now + 10 * MILLISECOND, now, cx));
            assert!(alarm.set_to < set_to, "an earlier one is another matter");
        }
    }

    #[test]
    fn a_moment_beyond_all_times_is_waited_for_and_one_that_is_past_has_come() {
        let runtime = runtime();
        let _context = runtime.enter();
        let cx = &mut Context::from_waker(Waker::noop());
        for mut alarm in both_kinds() {
            assert!(!alarm.poll(u64::MAX, now(), cx));
            assert!(alarm.poll(now(), now(), cx));
            assert!(alarm.poll(0, now(), cx));
        }
    }
}
