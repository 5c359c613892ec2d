//! A list of things that die unnoticed: the dead are swept when they could be half of it.

/// Below this many entries a sweep is not worth its walk.
const SWEEP_AT_LEAST: usize = 256;

/// Entries of which some may be dead. An entry costs one push and its share of a sweep, however
/// many of the others live on.
#[derive(Debug)]
pub struct SweptList<T> {
    items: Vec<T>,
    sweep_at: usize,
}

impl<T> Default for SweptList<T> {
    fn default() -> Self {
        Self { items: Vec::new(), sweep_at: SWEEP_AT_LEAST }
    }
}

impl<T> SweptList<T> {
    /// Adds an entry; says whether a sweep is due.
    pub fn push(&mut self, item: T) -> bool {
        self.items.push(item);
        self.items.len() >= self.sweep_at
    }

    /// Adds an entry, and sweeps if it is time to.
    pub fn push_and_sweep(&mut self, item: T, is_alive: impl FnMut(&T) -> bool) {
        if self.push(item) {
            self.items.retain(is_alive);
            self.swept();
        }
    }

    /// All entries, the dead among them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// Takes everything out, for a sweep by somebody who must not borrow this meanwhile.
    pub fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }

    /// Puts back what such a sweep found alive.
    pub fn put_back(&mut self, mut alive: Vec<T>) {
        alive.append(&mut self.items);
        self.items = alive;
        self.swept();
    }

    fn swept(&mut self) {
        self.sweep_at = (self.items.len() * 2).max(SWEEP_AT_LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_swept_when_they_could_be_half() {
        let mut list = SweptList::default();
        for number in 0..SWEEP_AT_LEAST {
            list.push_and_sweep(number, |number| number % 2 == 0);
        }
        assert_eq!(list.iter().count(), SWEEP_AT_LEAST / 2);
    }

    #[test]
    fn a_list_of_the_living_is_walked_seldom() {
        let mut list = SweptList::default();
        let mut walked = 0;
        for number in 0..100 * SWEEP_AT_LEAST {
            list.push_and_sweep(number, |_| {
                walked += 1;
                true
            });
        }
        assert!(walked <= 2 * 100 * SWEEP_AT_LEAST, "{walked} looks");
    }

    #[test]
    fn what_came_during_a_sweep_is_kept() {
        let mut list = SweptList::default();
        let due = (0..SWEEP_AT_LEAST).filter(|number| list.push(*number)).count();
        assert_eq!(due, 1, "the last one");
        let mut alive = list.take_all();
        alive.truncate(1);
        assert!(!list.push(7));
        list.put_back(alive);
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [0, 7]);
    }
}
