//! Connections that play a recording: what a player says is done here, and it is told what came of it.

use wsload_core::matching::{KeySource, Sent};
use wsload_core::replay::{Act, Pace, Part, Pending, Player, Turn};

use super::settings::{Drive, Recorded, Settings};
use super::slot::Stage;
use super::{Phase, Shard};
use crate::os::monotonic_ns;

/// Bytes encoded for one connection before they go to the kernel.
const WRITE_BYTES: usize = 64 * 1024;
/// What is said of a message whose answer did not come in time.
const NOT_ANSWERED: (&str, &str) = ("reply time-out", "no reply within the reply time-out");

/// Where all connections of a shard stand.
#[derive(Debug)]
pub(super) struct Replay {
    players: Vec<Player>,
    /// There once the epoch is known.
    pace: Option<Pace>,
    /// Messages whose answers have not come.
    awaiting: u64,
}

impl Recorded {
    /// Which part a slot plays, and which copy of it.
    fn part(&self, slot: u32) -> (&Part, u32) {
        let parts = &self.script.parts;
        let count = parts.len() as u32;
        (&parts[(slot % count) as usize], slot / count)
    }

    /// Whether a slot's connection began after the first message of the recording.
    pub(super) fn begins_later(&self, slot: u32) -> bool {
        self.part(slot).0.begin_ns > self.origin_ns
    }
}

impl Replay {
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let Drive::Replay(_) = settings.drive else { return None };
        Some(Self { players: vec![Player::default(); settings.slots as usize], pace: None, awaiting: 0 })
    }

    pub(super) fn awaiting(&self) -> u64 {
        self.awaiting
    }

    pub(super) fn oldest_sent_ns(&self) -> Option<u64> {
        self.players.iter().filter_map(Player::oldest_sent_ns).min()
    }

    /// The slot's connection is open.
    pub(super) fn opened(&mut self, index: u32, at_ns: u64) {
        self.players[index as usize].opened(at_ns);
    }

    /// A message came in; the one of ours that it answers.
    pub(super) fn heard(
        &mut self,
        settings: &Settings,
        index: u32,
        payload: &[u8],
        arrival_ns: u64,
    ) -> Option<Pending> {
        let Drive::Replay(recorded) = &settings.drive else { return None };
        let (part, _) = recorded.part(settings.global_slot(index));
        let key = KeySource::Echo.key_of(payload).unwrap_or_default();
        let found = self.players[index as usize].heard(part, key, arrival_ns);
        self.awaiting -= u64::from(found.is_some());
        found
    }
}

impl Shard {
    /// The schedule begins: every connection's first step is entered. Whether replies are read lazily.
    pub(super) fn begin_recording(&mut self, epoch_ns: u64) -> bool {
        let Self { settings, sends, replay, slots, .. } = self;
        let (Drive::Replay(recorded), Some(replay)) = (&settings.drive, replay) else { return false };
        let lazily = recorded.lazy;
        let pace = Pace {
            epoch_ns,
            origin_ns: recorded.origin_ns,
            speed: recorded.speed,
            wait_replies: recorded.wait_replies,
            timeout_ns: settings.reply_timeout_ns,
            grain: settings.grain,
        };
        let mut unopened = Vec::new();
        for index in 0..settings.slots {
            if slots[index as usize].stage == Stage::Finished {
                unopened.push(index);
                continue;
            }
            let slot = settings.global_slot(index);
            let (part, _) = recorded.part(slot);
            let first_ns = part.steps.first().map_or(0, |step| step.at_ns);
            sends.insert(index, pace.instant(if recorded.begins_later(slot) { part.begin_ns } else { first_ns }));
        }
        replay.pace = Some(pace);
        for index in unopened {
            self.skip_rest(index, u64::MAX);
        }
        lazily
    }

    /// Whether the slot's connection begins only while the recording is played, and that is not yet so.
    pub(super) fn waits_to_begin(&self, index: u32) -> bool {
        let Drive::Replay(recorded) = &self.settings.drive else { return false };
        let slot = &self.slots[index as usize];
        slot.stage == Stage::Unopened && recorded.begins_later(self.settings.global_slot(index))
    }

    /// A slot's instant has come: its connection is to begin, or [`Shard::play`] goes on.
    pub(super) fn come_back(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.stage == Stage::Unopened {
            slot.stage = Stage::Waiting;
            self.reopen.push_back(index);
        }
    }

    /// Does all that the slot may do now.
    pub(super) fn play(&mut self, index: u32) {
        let mut now_ns = monotonic_ns();
        while self.phase == Phase::Running {
            let slot = &self.slots[index as usize];
            if slot.stage != Stage::Open || slot.tail.is_some() || slot.remaining == 0 {
                break;
            }
            match self.turn(index, now_ns) {
                Some(Turn::Do(step, due_ns)) => self.play_step(index, step, due_ns, now_ns),
                Some(Turn::At(at_ns)) => {
                    self.sends.remove(index);
                    self.sends.insert(index, at_ns);
                    break;
                }
                Some(Turn::GiveUp) => self.skip_rest(index, u64::MAX),
                Some(Turn::Over) | None => self.part_is_over(index, now_ns, NOT_ANSWERED),
            }
            if self.wire.out.len() >= WRITE_BYTES {
                self.flush(index);
                now_ns = monotonic_ns();
            }
        }
        self.flush(index);
    }

    fn turn(&self, index: u32, now_ns: u64) -> Option<Turn> {
        let (Drive::Replay(recorded), Some(replay)) = (&self.settings.drive, &self.replay) else { return None };
        let (part, _) = recorded.part(self.settings.global_slot(index));
        Some(replay.players[index as usize].turn(part, replay.pace.as_ref()?, now_ns))
    }

    fn play_step(&mut self, index: u32, step: u32, due_ns: u64, now_ns: u64) {
        let Self { settings, replay, slots, wire, book, .. } = self;
        let (Drive::Replay(recorded), Some(replay)) = (&settings.drive, replay) else { return };
        let Replay { players, awaiting, .. } = &mut **replay;
        let (part, copy) = recorded.part(settings.global_slot(index));
        let slot = &mut slots[index as usize];
        let player = &mut players[index as usize];
        let act = &part.steps[step as usize].act;
        player.done();
        match act {
            Act::Send { binary: _, name, pieces, stored, answered } => {
                let opcode = act.opcode().unwrap_or(wsload_core::frame::opcode::Opcode::Text);
                let mut joined = std::mem::take(&mut wire.echo);
                let payload = filled(pieces, copy, &mut joined);
                // Without a schedule, or behind a reply, a message is intended when it can go out.
                let free_ns = slot.step_ns.max(if recorded.wait_replies { player.heard_ns() } else { 0 });
                let intended_ns = match (recorded.speed > 0.0, recorded.wait_replies) {
                    (false, _) => now_ns,
                    (true, true) => due_ns.max(free_ns),
                    (true, false) => due_ns,
                };
                let open = slot.connection.send(opcode, payload, &mut wire.context()).is_ok();
                let sent_ns = monotonic_ns();
                book.due(1, intended_ns);
                if open {
                    book.sent(None, *name, intended_ns, intended_ns.max(slot.step_ns), sent_ns);
                    book.record.sent_instead(index, sent_ns, (opcode, *name), payload, stored.as_deref());
                    if *answered {
                        player.sent(step, (intended_ns, sent_ns), *name);
                        *awaiting += 1;
                    }
                } else {
                    book.never_sent(*name, intended_ns, sent_ns);
                }
                wire.echo = joined;
            }
            Act::Ping { payload } => {
                let _ = slot.connection.ping(payload, &mut wire.context());
                book.now().counters.pings_sent += 1;
                book.record.ping_sent(index, monotonic_ns(), payload);
            }
            Act::Close { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                self.part_is_over(index, now_ns, NOT_ANSWERED);
                self.slots[index as usize].abandoned = true;
                self.book.now().counters.connections_closed += 1;
                self.close_by_step(index, code, &reason, false);
            }
            Act::End => self.part_is_over(index, now_ns, NOT_ANSWERED),
        }
    }

    /// The server has closed a connection on which the recording shows just that: no failure.
    pub(super) fn closes_as_recorded(&mut self, index: u32) -> bool {
        let Self { settings, replay, slots, .. } = self;
        let (Drive::Replay(recorded), Some(replay)) = (&settings.drive, replay) else { return false };
        let (part, _) = recorded.part(settings.global_slot(index));
        let expected = part.closed_by_server && replay.players[index as usize].has_sent_all(part);
        if !expected || slots[index as usize].stage != Stage::Open {
            return false;
        }
        self.part_is_over(index, monotonic_ns(), NOT_ANSWERED);
        self.slots[index as usize].abandoned = true;
        self.book.now().counters.connections_closed += 1;
        self.open -= 1;
        self.await_end(index);
        true
    }

    /// Nothing more is played on the slot: what has not gone out never will, what is not answered is given up.
    pub(super) fn part_is_over(&mut self, index: u32, now_ns: u64, (detail, example): (&str, &str)) {
        if self.replay.is_none() {
            return;
        }
        self.skip_rest(index, u64::MAX);
        let Self { replay, slots, book, sends, working, .. } = self;
        let Some(replay) = replay else { return };
        let Replay { players, awaiting, .. } = &mut **replay;
        let mut unanswered = 0;
        for sent in players[index as usize].give_up() {
            unanswered += 1;
            let sent = book.sent_of_recording(sent);
            book.count_unanswered(sent, now_ns, (detail, example));
        }
        *awaiting -= unanswered;
        if unanswered > 0 {
            let what = format!("{unanswered} unanswered: {example}");
            book.record.failed(index, now_ns, wsload_core::tally::FailureKind::Unanswered, &what);
        }
        sends.remove(index);
        *working -= std::mem::take(&mut slots[index as usize].remaining) as u32;
    }

    /// Messages that will not be sent any more are counted, those that were due before `until_ns`.
    fn skip_rest(&mut self, index: u32, until_ns: u64) {
        let now_ns = monotonic_ns();
        let Self { settings, replay, book, .. } = self;
        let (Drive::Replay(recorded), Some(replay)) = (&settings.drive, replay) else { return };
        let (part, _) = recorded.part(settings.global_slot(index));
        let Replay { players, pace: Some(pace), .. } = &mut **replay else { return };
        for (due_ns, name) in players[index as usize].skip(part, pace) {
            if due_ns < until_ns {
                book.due(1, due_ns);
                book.never_sent(name, due_ns, now_ns.max(due_ns));
            }
        }
    }

    /// The run is stopped: what has not been sent is given up, answers are awaited. What was not due yet is not owed.
    pub(super) fn drop_recording(&mut self, now_ns: u64) {
        for index in 0..self.settings.slots {
            self.skip_rest(index, now_ns);
        }
    }
}

/// The payload of a copy, joined in `room` when it differs between copies.
fn filled<'p>(pieces: &'p [Vec<u8>], copy: u32, room: &'p mut Vec<u8>) -> &'p [u8] {
    if let [whole] = pieces {
        return whole;
    }
    room.clear();
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 {
            room.extend_from_slice(copy.to_string().as_bytes());
        }
        room.extend_from_slice(piece);
    }
    room
}

impl super::book::Book {
    /// The answer to a message came.
    pub(super) fn answered_as_recorded(&mut self, pending: Pending, arrival_ns: u64, read_ns: u64) -> Sent {
        let sent = self.sent_of_recording(pending);
        self.answered(sent, arrival_ns, read_ns);
        sent
    }

    fn sent_of_recording(&self, pending: Pending) -> Sent {
        let Pending { intended_ns, sent_ns, name, .. } = pending;
        Sent { intended_ns, sent_ns, warmup: self.is_warmup(intended_ns), name }
    }
}
