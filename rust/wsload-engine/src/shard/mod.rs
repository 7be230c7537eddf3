//! The shard: connections, schedule and measurements of one worker, served by [`Shard::poll`].
//!
//! Two epoll sets are nested. `sockets` holds the connections; `wake`, the descriptor the event loop watches, holds
//! the timer and, while replies are to be read at once, `sockets`. A dense open schedule reads lazily: the timer
//! wakes it for the next tick anyway and the kernel has stamped the arrivals, so waking for each reply would only
//! cost CPU. Both sets are level-triggered: what a call leaves unserved keeps the descriptor readable.
//!
//! A run goes through [`Phase`]s, never back. Rules that need no system call live in `wsload-core`.

mod book;
mod connect;
mod keepalive;
mod lifecycle;
mod pace;
mod read;
mod record;
mod replay;
mod script;
mod secure;
mod send;
mod settings;
mod slot;
mod steps;

pub use self::script::{Answer, Gone};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use wsload_core::calendar::Calendar;
use wsload_core::connection::{Config, Context};
use wsload_core::deflate::Codecs;
use wsload_core::interval::Snapshot;
use wsload_core::plan::{Plan, PlanError};
use wsload_core::rng::MaskKeys;
use wsload_core::tally::FailureKind;

use self::book::Book;
use self::pace::ConnectPace;
use self::record::Recording;
use self::replay::Replay;
use self::settings::{Drive, Settings};
use self::slot::{Slot, Stage};
use crate::os::{ClockMap, Epoll, Interest, Ready, Timer, monotonic_ns};

/// Events fetched at once; the clock is looked at between fetches.
const BATCH: usize = 64;
/// Shared receive buffer: the most a connection can deliver in one read.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// How long a lazy reader may sleep: bounds the answer to a ping or a close.
const LAZY_NS: u64 = 1_000_000;
/// Grain of time-outs.
const TIMEOUT_TICK_NS: u64 = 5_000_000;
/// How long to wait for the server to end the closing handshake, and then TCP.
const CLOSE_TIMEOUT_NS: u64 = 2_000_000_000;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Waits for [`Shard::connect`].
    Idle,
    /// First connection attempts are under way.
    Connecting,
    /// Every first attempt has succeeded or failed; waits for [`Shard::go`] and its instant.
    Ready,
    /// The schedule runs.
    Running,
    /// Nothing new is sent; replies are awaited, bounded by the reply time-out.
    Draining,
    /// Close frames are out.
    Closing,
    /// Every socket is closed and every interval handed up.
    Done,
}

impl Phase {
    /// The phase in one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Done => "done",
        }
    }
}

/// What a call of [`Shard::poll`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// [`Shard::take`] has something.
    pub snapshot: bool,
    /// [`Shard::phase`] has changed since the last call.
    pub phase: bool,
    /// [`Shard::take_notes`] has something.
    pub notes: bool,
}

/// Why a shard could not be made.
#[derive(Debug)]
pub enum ShardError {
    /// The plan was refused.
    Plan(PlanError),
    /// A certificate or key cannot be used.
    Tls(String),
    /// The kernel refused a descriptor or entropy.
    Os(io::Error),
}

impl std::fmt::Display for ShardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Tls(why) => f.write_str(why),
            Self::Os(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ShardError {}

impl From<PlanError> for ShardError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<io::Error> for ShardError {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

/// Frames out: what every connection shares to write. `out` is empty between two connections' turns.
#[derive(Debug)]
struct Wire {
    config: Config,
    masks: MaskKeys,
    codecs: Codecs,
    out: Vec<u8>,
    /// What TLS makes of `out`.
    sealed: Vec<u8>,
    /// What TLS makes of what was read.
    plain: Vec<u8>,
    /// A message on its way back, or one being rendered.
    echo: Vec<u8>,
}

impl Wire {
    #[inline]
    fn context(&mut self) -> Context<'_> {
        Context { config: &self.config, masks: &mut self.masks, codecs: &mut self.codecs, out: &mut self.out }
    }
}

/// One worker's share of a run. See the module's text.
#[derive(Debug)]
pub struct Shard {
    settings: Settings,
    phase: Phase,
    /// The phase that the last [`Shard::poll`] told.
    told_phase: Phase,
    wake: Epoll,
    sockets: Epoll,
    timer: Timer,
    armed_ns: Option<u64>,
    /// When the oldest message that awaits its reply by key is to be given up.
    keys_due_ns: Option<u64>,
    reads_lazily: bool,
    clock: ClockMap,
    slots: Vec<Slot>,
    wire: Wire,
    book: Book,
    /// Instants at which a slot's message is due.
    sends: Calendar,
    /// Each slot's one time-out: connect, reply, close or reopen, by its stage.
    timeouts: Calendar,
    /// When open connections reach their lifetime; there only when they have one.
    lifetimes: Option<Calendar>,
    /// When each open slot's next ping, or its pong, is due; there only when pings are asked for.
    pings: Option<Calendar>,
    /// Slots whose scripts are to be told something.
    told: Vec<u32>,
    /// When sessions of a scenario go on; there only with one.
    steps: Option<Calendar>,
    /// When something that is repeated is due on a connection.
    clocks: Option<Calendar>,
    /// Where connections stand in a recording; there only when one is played.
    replay: Option<Box<Replay>>,
    /// Iterations under way.
    busy: u32,
    pace: ConnectPace,
    /// First slot that the ramp has not opened yet.
    ramp_next: u32,
    /// Slots to open again, in order.
    reopen: VecDeque<u32>,
    addresses: Vec<SocketAddr>,
    /// Address that last worked: later attempts begin with it.
    preferred_address: u8,
    /// Slots by stage: attempts under way, open, not finished.
    opening: u32,
    open: u32,
    live: u32,
    /// Slots whose first attempt is not over.
    first_pending: u32,
    /// Slots that the schedule, or a closed loop's share, has still something for.
    working: u32,
    /// Open loop: messages due and not sent, all slots.
    backlog: u64,
    epoch_ns: Option<u64>,
    drain_until_ns: u64,
    read_buffer: Box<[u8]>,
}

/// See [`crate::check`].
pub(crate) fn check(plan: &Plan) -> Result<(), String> {
    Settings::new(plan, 0, 1).map(drop)
}

const TIMER_TOKEN: u64 = 0;
const SOCKETS_TOKEN: u64 = 1;

impl Shard {
    /// A shard for worker `worker` of `workers`. Opens no connection yet.
    pub fn new(plan: &Plan, worker: u32, workers: u32) -> Result<Self, ShardError> {
        let settings = Settings::new(plan, worker, workers).map_err(ShardError::Tls)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let (wake, sockets, timer) = (Epoll::new()?, Epoll::new()?, Timer::new()?);
        wake.add(timer.as_raw_fd(), Interest::Read, TIMER_TOKEN)?;
        wake.add(sockets.as_raw_fd(), Interest::Read, SOCKETS_TOKEN)?;
        let slots: Vec<Slot> = (0..settings.slots).map(|index| new_slot(&settings, index)).collect();
        let working = slots.iter().filter(|slot| slot.remaining > 0 || slot.next_due.is_some()).count();
        let grain = settings.grain;
        let recording = Recording::new(plan, (worker, workers, settings.slots));
        Ok(Self {
            phase: Phase::Idle,
            told_phase: Phase::Idle,
            wake,
            sockets,
            timer,
            armed_ns: None,
            keys_due_ns: None,
            reads_lazily: false,
            clock: ClockMap::new(),
            wire: Wire {
                config: Settings::protocol(plan),
                masks: MaskKeys::from_seed(seed),
                codecs: Codecs::new(plan.handshake.compression.map_or(0, |compression| compression.level)),
                out: Vec::new(),
                sealed: Vec::new(),
                plain: Vec::new(),
                echo: Vec::new(),
            },
            book: Book::new(settings.interval_ns, &settings.names, settings.keys.is_some(), recording),
            sends: Calendar::new(grain.grain_ns(), grain.phase_ns(), settings.slots),
            timeouts: Calendar::new(TIMEOUT_TICK_NS, 0, settings.slots),
            lifetimes: settings.connection_lifetime_ns.map(|_| Calendar::new(TIMEOUT_TICK_NS, 0, settings.slots)),
            pings: settings.ping.map(|_| Calendar::new(TIMEOUT_TICK_NS, 0, settings.slots)),
            told: Vec::new(),
            steps: settings.program.as_ref().map(|_| Calendar::new(grain.grain_ns(), grain.phase_ns(), settings.slots)),
            clocks: settings
                .program
                .as_ref()
                .filter(|program| program.has_clocks())
                .map(|_| Calendar::new(TIMEOUT_TICK_NS, 0, settings.slots)),
            replay: Replay::new(&settings).map(Box::new),
            busy: 0,
            pace: ConnectPace::new(settings.connect_gap_ns),
            ramp_next: 0,
            reopen: VecDeque::new(),
            addresses: Vec::new(),
            preferred_address: 0,
            opening: 0,
            open: 0,
            live: settings.slots,
            first_pending: slots.iter().filter(|slot| !slot.first_over).count() as u32,
            working: working as u32,
            backlog: 0,
            epoch_ns: None,
            drain_until_ns: 0,
            read_buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            slots,
            settings,
        })
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The oldest finished interval not yet taken.
    pub fn take(&mut self) -> Option<Snapshot> {
        self.book.take()
    }

    /// Serves what is ready and due, for about `budget_ns`, and never blocks. What is left keeps the descriptor
    /// readable.
    pub fn poll(&mut self, budget_ns: u64) -> Progress {
        if !matches!(self.phase, Phase::Idle | Phase::Done) {
            let mut now_ns = monotonic_ns();
            let until_ns = now_ns + budget_ns;
            if self.clock.refresh(now_ns) {
                self.book.now().counters.clock_steps += 1;
            }
            self.book.now().counters.polls += 1;
            loop {
                self.serve_due(now_ns, until_ns);
                let served = self.serve_sockets();
                now_ns = monotonic_ns();
                if served < BATCH || now_ns >= until_ns {
                    break;
                }
            }
            self.step(now_ns);
        }
        self.arm();
        let phase = self.phase != self.told_phase;
        self.told_phase = self.phase;
        Progress { snapshot: self.book.has_finished(), phase, notes: self.has_notes() }
    }

    /// Serves one batch of socket events and says how many there were.
    fn serve_sockets(&mut self) -> usize {
        let mut room = [Ready::EMPTY; BATCH];
        let events = self.sockets.poll(&mut room);
        for event in events {
            let index = event.token() as u32;
            let slot = &self.slots[index as usize];
            // An event of this batch may belong to a socket that an earlier one closed.
            if slot.socket.is_none() || slot.token(index) != event.token() {
                continue;
            }
            if event.writable() && (slot.stage == Stage::Connecting || slot.tail.is_some()) {
                self.writable(index);
            } else if event.readable() {
                self.readable(index, event.ended());
            }
        }
        events.len()
    }

    /// Serves what is due: interval ends, connection attempts, sends, time-outs.
    fn serve_due(&mut self, now_ns: u64, until_ns: u64) {
        self.roll(now_ns);
        self.start_attempts(now_ns, until_ns);
        if self.phase == Phase::Running {
            self.serve_schedule(now_ns, until_ns);
        }
        while let Some(index) = self.timeouts.pop(now_ns) {
            self.timed_out(index, now_ns);
        }
        self.expire_keys(now_ns);
        self.serve_steps(now_ns);
        while let Some(index) = self.pings.as_mut().and_then(|pings| pings.pop(now_ns)) {
            self.ping_due(index, now_ns);
        }
        while let Some(index) = self.lifetimes.as_mut().and_then(|lifetimes| lifetimes.pop(now_ns)) {
            self.retire(index);
        }
    }

    /// Ends the intervals that are over.
    fn roll(&mut self, now_ns: u64) {
        if now_ns >= self.book.interval_end_ns() {
            let gauges = self.gauges(now_ns);
            self.book.count_compression(self.wire.codecs.take_bytes());
            self.book.roll(now_ns, || gauges.clone());
        }
    }

    /// Sets the timer to the next instant at which something is due.
    fn arm(&mut self) {
        let now_ns = monotonic_ns();
        let next_ns = self.next_due_ns(now_ns);
        // An expired timer stays readable until it is set again.
        if next_ns != self.armed_ns || next_ns.is_some_and(|at| at <= now_ns) {
            self.timer.set(next_ns);
            self.armed_ns = next_ns;
        }
    }

    fn next_due_ns(&self, now_ns: u64) -> Option<u64> {
        if matches!(self.phase, Phase::Idle | Phase::Done) {
            return None;
        }
        let running = self.phase == Phase::Running;
        [
            Some(self.book.interval_end_ns()),
            self.timeouts.next_ns(),
            self.keys_due_ns,
            self.pings.as_ref().and_then(Calendar::next_ns),
            self.lifetimes.as_ref().and_then(Calendar::next_ns),
            self.steps.as_ref().and_then(Calendar::next_ns),
            self.clocks.as_ref().and_then(Calendar::next_ns),
            self.next_attempt_ns(),
            self.sends.next_ns().filter(|_| running),
            // Past the end, an open schedule's last ticks are what is waited for.
            self.schedule_end_ns().filter(|end| running && *end > now_ns),
            self.epoch_ns.filter(|_| self.phase == Phase::Ready),
            Some(self.drain_until_ns).filter(|_| self.phase == Phase::Draining),
            Some(now_ns + LAZY_NS).filter(|_| self.reads_lazily),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Switches between reading when woken by sockets and reading when woken by the timer.
    fn read_lazily(&mut self, lazily: bool) {
        if self.reads_lazily != lazily {
            self.reads_lazily = lazily;
            let interest = if lazily { Interest::None } else { Interest::Read };
            // Both descriptors are ours and the set holds them: this cannot fail.
            let _ = self.wake.modify(self.sockets.as_raw_fd(), interest, SOCKETS_TOKEN);
        }
    }

    /// Counts a failure of one slot, with an example a person can read.
    fn fail(&mut self, index: u32, kind: FailureKind, detail: &str, what: &str) {
        let example = format!("connection {}: {what}", self.settings.global_slot(index));
        self.book.now().failures.add(kind, detail, 1, monotonic_ns(), &example);
        let whole = (kind == FailureKind::ExpectationFailed).then(|| format!("{detail}: {what}"));
        self.book.record.failed(index, monotonic_ns(), kind, whole.as_deref().unwrap_or(what));
    }
}

impl AsRawFd for Shard {
    /// Readable when [`Shard::poll`] has something to do.
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

fn new_slot(settings: &Settings, index: u32) -> Slot {
    match &settings.drive {
        Drive::Closed { .. } => Slot::new(settings.closed_share(index), None),
        Drive::Open { schedule, .. } => {
            let slot = settings.global_slot(index);
            let sends = settings.publishers.is_none_or(|publishers| slot < publishers);
            Slot::new(0, sends.then(|| schedule.first(slot)).flatten())
        }
        Drive::Idle | Drive::Echo => Slot::new(0, None),
        // What is left is its part of the recording, whatever that holds.
        Drive::Replay(recorded) => {
            Slot { first_over: recorded.begins_later(settings.global_slot(index)), ..Slot::new(1, None) }
        }
    }
}
