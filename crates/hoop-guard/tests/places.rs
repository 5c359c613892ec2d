//! What must hold of places and of the queue in front of them, in whatever order people come and go.

use std::collections::VecDeque;

use hoop_guard::{Entrance, Places, Ticket};
use proptest::prelude::*;

#[test]
fn places_are_taken_then_the_queue_then_nothing() {
    let mut places = Places::new(1, 1);
    assert_eq!(places.enter(), Entrance::Inside);
    let Entrance::Waiting(ticket) = places.enter() else { panic!("no queue") };
    assert_eq!(places.enter(), Entrance::Full);
    assert_eq!(places.leave(), Some(ticket));
    assert_eq!(places.depth(), (1, 0));
    assert_eq!(places.leave(), None);
    assert_eq!((places.depth(), places.counts(), places.peaks()), ((0, 0), (2, 1), (1, 1)));
}

#[test]
fn more_places_let_those_in_who_wait_and_fewer_throw_nobody_out() {
    let mut places = Places::new(1, 9);
    places.enter();
    let waiting: Vec<_> = (0..3).map(|_| places.enter()).collect();
    assert_eq!(places.admit(), None);
    places.resize(3);
    assert_eq!(Entrance::Waiting(places.admit().expect("the first")), waiting[0]);
    assert_eq!(Entrance::Waiting(places.admit().expect("the second")), waiting[1]);
    assert_eq!(places.admit(), None);
    places.resize(1);
    assert_eq!(places.depth(), (3, 1));
    assert_eq!((places.leave(), places.leave()), (None, None));
    assert!(places.leave().is_some(), "the last of those inside has left, so the next may come");
}

#[derive(Debug, Clone)]
enum Step {
    Enter,
    Leave,
    GiveUp(usize),
    Resize(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Enter),
        3 => Just(Step::Leave),
        2 => any::<usize>().prop_map(Step::GiveUp),
        1 => (1usize..6).prop_map(Step::Resize),
    ]
}

/// The plainest queue there is.
struct Model {
    places: usize,
    inside: usize,
    queue: VecDeque<Ticket>,
    /// Those who were named as having a place, and have not yet been told.
    named: Vec<Ticket>,
}

impl Model {
    fn hear(&mut self, named: Option<Ticket>) -> Result<(), TestCaseError> {
        let expected = if self.inside < self.places { self.queue.pop_front() } else { None };
        prop_assert_eq!(named, expected, "the one who waited longest, if there is a place");
        if let Some(ticket) = named {
            self.inside += 1;
            self.named.push(ticket);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_place_is_lost_and_nobody_overtakes(steps in prop::collection::vec(step(), 1..300)) {
        let mut places = Places::new(2, 8);
        let mut model = Model { places: 2, inside: 0, queue: VecDeque::new(), named: Vec::new() };
        for step in steps {
            match step {
                Step::Enter => match places.enter() {
                    Entrance::Inside => {
                        prop_assert!(model.queue.is_empty() && model.inside < model.places);
                        model.inside += 1;
                    }
                    Entrance::Waiting(ticket) => {
                        prop_assert!(model.inside >= model.places && model.queue.len() < 8);
                        model.queue.push_back(ticket);
                    }
                    Entrance::Full => prop_assert_eq!(model.queue.len(), 8),
                },
                Step::Leave if model.inside > 0 => {
                    if model.named.len() == model.inside {
                        // All of those inside were named: this one has been told meanwhile.
                        model.named.pop();
                    }
                    model.inside -= 1;
                    model.hear(places.leave())?;
                }
                Step::Leave => {}
                Step::GiveUp(which) => {
                    let all: Vec<Ticket> = model.queue.iter().chain(&model.named).copied().collect();
                    let Some(ticket) = all.get(which % all.len().max(1)).copied() else { continue };
                    let named = places.give_up(ticket);
                    if model.queue.contains(&ticket) {
                        model.queue.retain(|each| *each != ticket);
                        prop_assert_eq!(named, None);
                    } else {
                        model.named.retain(|each| *each != ticket);
                        model.inside -= 1;
                        model.hear(named)?;
                    }
                }
                Step::Resize(number) => {
                    places.resize(number);
                    model.places = number;
                    while model.inside < number && !model.queue.is_empty() {
                        model.hear(places.admit())?;
                    }
                    model.hear(places.admit())?;
                }
            }
            prop_assert_eq!(places.depth(), (model.inside, model.queue.len()));
            prop_assert!(model.queue.is_empty() || model.inside >= model.places);
        }
    }
}
