//! How often each key may act: the generic cell rate algorithm, one time stamp for each key.
//!
//! The stamp is the theoretical arrival time (ITU-T I.371, annex A): when the key has all its burst back.
//! An act moves it on by one interval, and is refused if it would come to lie further ahead than a burst.
//! A key whose stamp has passed is as one that was never seen, so it may be forgotten.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// A full table makes room by an eighth, so that making room is rare.
const ROOM: usize = 8;

/// So often, and so much of it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// From one act to the next in the long run.
    interval: Duration,
    burst: u32,
}

impl Quota {
    /// `rate` acts in each `per`, of which `burst` may come at once. `None` where that is no rate: one of
    /// them is zero, or acts would follow faster than one in a nanosecond.
    pub fn new(rate: f64, per: Duration, burst: u32) -> Option<Self> {
        let interval = Duration::try_from_secs_f64(per.as_secs_f64() / rate).ok()?;
        let is_a_rate = rate > 0.0 && !interval.is_zero() && burst > 0;
        is_a_rate.then_some(Self { interval, burst })
    }

    /// The time in which one act more is allowed.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How many may come at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    fn cost(&self, acts: u32) -> Duration {
        self.interval.saturating_mul(acts)
    }
}

/// Why an act may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It may be after so long, if nobody comes before.
    Later(Duration),
    /// It costs more than ever may come at once.
    Never,
}

/// The time stamps of a bounded number of keys.
#[derive(Debug)]
pub struct RateTable<K> {
    quota: Quota,
    most_keys: usize,
    full_again: HashMap<K, Duration>,
    allowed: u64,
    refused: u64,
    forgotten: u64,
}

impl<K: Hash + Eq> RateTable<K> {
    /// A table that knows at most so many keys, of which there is at least one. Beyond that it forgets
    /// those that have most of their burst back: an attacker who invents keys never frees the one that
    /// has used its up.
    pub fn new(quota: Quota, most_keys: usize) -> Self {
        Self {
            quota,
            most_keys: most_keys.max(1),
            full_again: HashMap::new(),
            allowed: 0,
            refused: 0,
            forgotten: 0,
        }
    }

    /// A key wants to act so many times at once, now.
    pub fn take(&mut self, key: K, acts: u32, now: Duration) -> Result<(), Refusal> {
        let next = match self.stamp_after(&key, 0, acts, now) {
            Ok(next) => next,
            Err(refusal) => {
                self.refused += 1;
                return Err(refusal);
            }
        };
        self.allowed += 1;
        if acts > 0 {
            if self.full_again.len() >= self.most_keys && !self.full_again.contains_key(&key) {
                self.make_room(now);
            }
            self.full_again.insert(key, next);
        }
        Ok(())
    }

    /// What [`RateTable::take`] would answer once `ahead` other acts were taken; nothing is taken or
    /// counted.
    pub fn look<Q>(&self, key: &Q, ahead: u32, acts: u32, now: Duration) -> Result<(), Refusal>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.stamp_after(key, ahead, acts, now).map(|_| ())
    }

    /// What a key took it did not do after all.
    pub fn give_back<Q>(&mut self, key: &Q, acts: u32)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(stamp) = self.full_again.get_mut(key) {
            *stamp = stamp.saturating_sub(self.quota.cost(acts));
            self.allowed = self.allowed.saturating_sub(1);
        }
    }

    /// How many acts a key has left at once.
    pub fn left<Q>(&self, key: &Q, now: Duration) -> u32
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let ahead = self.full_again.get(key).map_or(Duration::ZERO, |stamp| stamp.saturating_sub(now));
        let used = ahead.as_nanos().div_ceil(self.quota.interval.as_nanos());
        u32::try_from(used).map_or(0, |used| self.quota.burst.saturating_sub(used))
    }

    /// Gives a key all of its burst back.
    pub fn forget<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.full_again.remove(key);
    }

    /// What every key may.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// How many keys are known.
    pub fn keys(&self) -> usize {
        self.full_again.len()
    }

    /// How many acts were allowed and refused, and how many keys were forgotten before they had all
    /// of their burst back.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.allowed, self.refused, self.forgotten)
    }

    fn stamp_after<Q>(&self, key: &Q, ahead: u32, acts: u32, now: Duration) -> Result<Duration, Refusal>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if acts > self.quota.burst {
            return Err(Refusal::Never);
        }
        let stamp = self.full_again.get(key).copied().unwrap_or_default().max(now);
        let next = stamp.saturating_add(self.quota.cost(ahead.saturating_add(acts)));
        let furthest = now.saturating_add(self.quota.cost(self.quota.burst));
        if next > furthest { Err(Refusal::Later(next.saturating_sub(furthest))) } else { Ok(next) }
    }

    fn make_room(&mut self, now: Duration) {
        self.full_again.retain(|_, stamp| *stamp > now);
        let most = self.most_keys - (self.most_keys / ROOM).max(1);
        if self.full_again.len() <= most {
            return;
        }
        let mut surplus = self.full_again.len() - most;
        let mut stamps: Vec<Duration> = self.full_again.values().copied().collect();
        let (_, last, _) = stamps.select_nth_unstable(surplus - 1);
        let last = *last;
        let before = self.full_again.len();
        // Those before `last` all go, of those at it as many as it takes.
        surplus -= stamps.iter().filter(|stamp| **stamp < last).count();
        self.full_again.retain(|_, stamp| {
            let at_last = *stamp == last && surplus > 0;
            surplus -= usize::from(at_last);
            *stamp >= last && !at_last
        });
        self.forgotten += (before - self.full_again.len()) as u64;
    }
}
