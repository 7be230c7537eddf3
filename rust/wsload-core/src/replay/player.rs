//! One connection's place in a script.

use std::collections::VecDeque;

use super::script::{Act, Part};
use crate::schedule::Grain;

/// How far ahead of the first message that has not come one that equals a recorded one is looked for.
const WINDOW: u32 = 64;

/// From the recording's clock to ours.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// When the schedule begins, and which instant of the recording that is.
    pub epoch_ns: u64,
    /// See [`super::Script::origin_ns`].
    pub origin_ns: u64,
    /// So many times faster; 0: nothing is waited for.
    pub speed: f64,
    /// A message waits until as many have come as had in the recording.
    pub wait_replies: bool,
    /// How long anything is waited for.
    pub timeout_ns: u64,
    /// Ticks to which instants are rounded up.
    pub grain: Grain,
}

impl Pace {
    /// When that what was recorded at `at_ns` is due.
    #[inline]
    pub fn instant(&self, at_ns: u64) -> u64 {
        let after_ns = at_ns.saturating_sub(self.origin_ns);
        let scaled_ns = if self.speed == 1.0 {
            after_ns
        } else if self.speed > 0.0 {
            (after_ns as f64 / self.speed).round() as u64
        } else {
            0
        };
        self.grain.round_up(self.epoch_ns + scaled_ns)
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The step, by its number, is to be done now; it was due at this instant.
    Do(u32, u64),
    /// Nothing before this instant, unless a message comes.
    At(u64),
    /// What had to come before the step did not: the rest is not played.
    GiveUp,
    /// Everything is done.
    Over,
}

/// A message that went out and is answered in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    step: u32,
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When it was.
    pub sent_ns: u64,
    /// Place of its name.
    pub name: u16,
}

/// A connection that plays a [`Part`].
#[derive(Debug, Clone, Default)]
pub struct Player {
    /// The step that is next.
    next: u32,
    /// Messages that have come.
    got: u32,
    /// When the last of them, or the connection's opening, was.
    heard_ns: u64,
    /// First recorded message that has not come, and which of those after it have.
    front: u32,
    came: u64,
    pending: VecDeque<Pending>,
}

impl Player {
    /// The connection is open.
    pub fn opened(&mut self, at_ns: u64) {
        self.heard_ns = self.heard_ns.max(at_ns);
    }

    /// Whose turn it is at `now_ns`.
    #[inline]
    pub fn turn(&self, part: &Part, pace: &Pace, now_ns: u64) -> Turn {
        let Some(step) = part.steps.get(self.next as usize) else { return Turn::Over };
        let due_ns = pace.instant(step.at_ns);
        if now_ns < due_ns {
            return Turn::At(due_ns);
        }
        let last = step.act.is_last();
        let owed = self.got < step.after || (last && !self.pending.is_empty());
        if owed && (last || pace.wait_replies) {
            let until_ns = due_ns.max(self.heard_ns) + pace.timeout_ns;
            if now_ns < until_ns {
                return Turn::At(until_ns);
            }
            if !last {
                return Turn::GiveUp;
            }
        }
        Turn::Do(self.next, due_ns)
    }

    /// When the last message came, or the connection opened.
    pub fn heard_ns(&self) -> u64 {
        self.heard_ns
    }

    /// The step was done.
    pub fn done(&mut self) {
        self.next += 1;
    }

    /// The message of step `step` went out, and is answered in the recording.
    pub fn sent(&mut self, step: u32, (intended_ns, sent_ns): (u64, u64), name: u16) {
        self.pending.push_back(Pending { step, intended_ns, sent_ns, name });
    }

    /// A message came in whose key ([`super::Expected::key`]) is `key`; the message of ours that it answers.
    ///
    /// One that equals a recorded message is that one, at whatever place; another takes the place of the first that has
    /// not come.
    pub fn heard(&mut self, part: &Part, key: u64, arrival_ns: u64) -> Option<Pending> {
        self.got += 1;
        self.heard_ns = self.heard_ns.max(arrival_ns);
        let window = part.received.get(self.front as usize..)?;
        let missing = |place: &u32| self.came >> *place & 1 == 0;
        let places = 0..WINDOW.min(window.len() as u32);
        let equal = places.clone().filter(missing).find(|place| window[*place as usize].key == key);
        let place = match equal {
            Some(place) => place,
            None => {
                let place = places.clone().find(missing)?;
                let answers = window[place as usize].answers;
                // What answers a message that has not gone out cannot be this.
                if answers.is_some_and(|step| self.pending.iter().all(|sent| sent.step != step)) {
                    return None;
                }
                place
            }
        };
        let answers = window[place as usize].answers;
        self.came |= 1 << place;
        let gone = self.came.trailing_ones();
        self.came = self.came.checked_shr(gone).unwrap_or(0);
        self.front += gone;
        let step = answers?;
        let at = self.pending.iter().position(|sent| sent.step == step)?;
        self.pending.remove(at)
    }

    /// Messages whose answers have not come.
    pub fn awaiting(&self) -> usize {
        self.pending.len()
    }

    /// When the oldest of them went out.
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        self.pending.front().map(|sent| sent.sent_ns)
    }

    /// Gives up what has not been answered.
    pub fn give_up(&mut self) -> impl Iterator<Item = Pending> + '_ {
        self.pending.drain(..)
    }

    /// Gives up what has not been sent: instant and name of each message.
    pub fn skip<'p>(&mut self, part: &'p Part, pace: &'p Pace) -> impl Iterator<Item = (u64, u16)> + 'p {
        let from = std::mem::replace(&mut self.next, part.steps.len() as u32);
        let rest = part.steps.get(from as usize..).unwrap_or_default();
        rest.iter().filter_map(|step| match step.act {
            Act::Send { name, .. } => Some((pace.instant(step.at_ns), name)),
            _ => None,
        })
    }

    /// Whether only its end is left.
    pub fn has_sent_all(&self, part: &Part) -> bool {
        part.steps.get(self.next as usize).is_none_or(|step| step.act.is_last())
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Expected, Step};
    use super::*;

    const TIMEOUT: u64 = 1_000_000;

    fn pace(speed: f64, wait_replies: bool) -> Pace {
        let grain = Grain::new(1_000, 0, 1);
        Pace { epoch_ns: 50_000, origin_ns: 100, speed, wait_replies, timeout_ns: TIMEOUT, grain }
    }

    fn send(at_ns: u64, after: u32) -> Step {
        let act = Act::Send { binary: false, name: 0, pieces: vec![b"x".to_vec()], stored: None, answered: true };
        Step { at_ns, after, act }
    }

    /// Sends at 100, 20_100 and 40_100 ns, ends at 60_100; the answers have keys 10, 11, 12.
    fn part() -> Part {
        let mut steps: Vec<Step> = (0..3).map(|number| send(100 + 20_000 * u64::from(number), number)).collect();
        steps.push(Step { at_ns: 60_100, after: 3, act: Act::End });
        let received = (0..3).map(|number| Expected { key: 10 + u64::from(number), answers: Some(number) });
        Part { begin_ns: 0, steps, received: received.collect(), closed_by_server: false }
    }

    fn play(player: &mut Player, part: &Part, pace: &Pace, now_ns: u64) -> Turn {
        let turn = player.turn(part, pace, now_ns);
        if let Turn::Do(step, due_ns) = turn {
            player.sent(step, (due_ns, now_ns), 0);
            player.done();
        }
        turn
    }

    #[test]
    fn steps_come_at_their_instants_scaled_and_rounded_up() {
        for (speed, second) in [(1.0, 70_000), (2.0, 60_000), (0.5, 90_000), (3.0, 57_000), (0.0, 50_000)] {
            assert_eq!(pace(speed, false).instant(20_100), second, "{speed}");
        }
        let (part, pace) = (part(), pace(1.0, false));
        let mut player = Player::default();
        assert_eq!(player.turn(&part, &pace, 49_999), Turn::At(50_000));
        assert_eq!(play(&mut player, &part, &pace, 50_300), Turn::Do(0, 50_000));
        assert_eq!(play(&mut player, &part, &pace, 50_300), Turn::At(70_000));
        assert_eq!(play(&mut player, &part, &pace, 70_001), Turn::Do(1, 70_000));
    }

    #[test]
    fn a_message_waits_for_what_had_come_before_it_and_not_for_ever() {
        let (part, pace) = (part(), pace(0.0, true));
        let mut player = Player::default();
        player.opened(40_000);
        assert_eq!(play(&mut player, &part, &pace, 50_000), Turn::Do(0, 50_000));
        assert_eq!(play(&mut player, &part, &pace, 50_000), Turn::At(50_000 + TIMEOUT));
        assert!(player.heard(&part, 10, 60_000).is_some());
        assert_eq!(play(&mut player, &part, &pace, 60_000), Turn::Do(1, 50_000));
        // The time-out counts from what came last.
        assert_eq!(play(&mut player, &part, &pace, 60_000), Turn::At(60_000 + TIMEOUT));
        assert_eq!(play(&mut player, &part, &pace, 60_000 + TIMEOUT), Turn::GiveUp);
        assert_eq!(player.skip(&part, &pace).collect::<Vec<_>>(), [(50_000, 0)]);
        assert_eq!(player.turn(&part, &pace, 70_000 + TIMEOUT), Turn::Over);
    }

    #[test]
    fn the_end_waits_for_answers() {
        let (part, pace) = (part(), pace(0.0, false));
        let mut player = Player::default();
        for _ in 0..3 {
            play(&mut player, &part, &pace, 50_000);
        }
        assert!(player.has_sent_all(&part));
        assert_eq!(player.turn(&part, &pace, 50_000), Turn::At(50_000 + TIMEOUT));
        for key in 10..13 {
            player.heard(&part, key, 51_000);
        }
        assert_eq!(player.turn(&part, &pace, 51_000), Turn::Do(3, 50_000));
    }

    #[test]
    fn an_end_without_its_answers_comes_after_the_time_out() {
        let (part, pace) = (part(), pace(0.0, false));
        let mut player = Player::default();
        for _ in 0..3 {
            play(&mut player, &part, &pace, 50_000);
        }
        player.heard(&part, 11, 51_000);
        assert_eq!(player.turn(&part, &pace, 51_000 + TIMEOUT), Turn::Do(3, 50_000));
        assert_eq!(player.give_up().map(|sent| sent.step).collect::<Vec<_>>(), [0, 2]);
    }

    /// Which steps messages with these keys answer, all steps being out.
    fn answers(part: &Part, keys: &[u64]) -> Vec<Option<u32>> {
        let mut player = Player::default();
        for (step, one) in part.steps.iter().enumerate() {
            if matches!(one.act, Act::Send { answered: true, .. }) {
                player.sent(step as u32, (0, 0), 0);
            }
        }
        keys.iter().map(|key| player.heard(part, *key, 1).map(|sent| sent.step)).collect()
    }

    #[test]
    fn what_equals_a_recorded_message_answers_as_that_did() {
        assert_eq!(answers(&part(), &[10, 11, 12, 13]), [Some(0), Some(1), Some(2), None]);
        assert_eq!(answers(&part(), &[12, 10, 11]), [Some(2), Some(0), Some(1)]);
    }

    #[test]
    fn what_equals_none_takes_the_first_free_place() {
        assert_eq!(answers(&part(), &[7, 8, 9]), [Some(0), Some(1), Some(2)]);
        assert_eq!(answers(&part(), &[11, 8, 9]), [Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn a_push_has_a_place_and_answers_nothing() {
        let mut part = part();
        part.received.insert(1, Expected { key: 99, answers: None });
        assert_eq!(answers(&part, &[10, 99, 11, 12]), [Some(0), None, Some(1), Some(2)]);
        assert_eq!(answers(&part, &[10, 11, 99, 12]), [Some(0), Some(1), None, Some(2)]);
        assert_eq!(answers(&part, &[1, 2, 3, 4]), [Some(0), None, Some(1), Some(2)]);
    }

    #[test]
    fn nothing_answers_what_has_not_gone_out() {
        let part = part();
        let mut player = Player::default();
        assert_eq!(player.heard(&part, 7, 1), None);
        player.sent(0, (0, 0), 0);
        assert_eq!(player.heard(&part, 7, 2).map(|sent| sent.step), Some(0));
    }

    #[test]
    fn a_whole_window_of_messages_may_come() {
        let received = (0..200).map(|number| Expected { key: number, answers: Some(number as u32) });
        let mut steps: Vec<Step> = (0..200).map(|_| send(0, 0)).collect();
        steps.push(Step { at_ns: 0, after: 0, act: Act::End });
        let part = Part { begin_ns: 0, steps, received: received.collect(), closed_by_server: false };
        // The first of each 64 comes last.
        let keys: Vec<u64> = (0..3).flat_map(|block| (1..64).chain([0]).map(move |key| block * 64 + key)).collect();
        let expected: Vec<Option<u32>> = keys.iter().map(|key| Some(*key as u32)).collect();
        assert_eq!(answers(&part, &keys), expected);
    }
}
