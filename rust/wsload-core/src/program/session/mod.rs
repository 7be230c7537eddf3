//! Where one connection stands in its steps.

mod hear;
mod script;
mod step;
mod turn;
mod values;

use std::collections::VecDeque;

use self::script::Script;
pub use self::script::{Awaited, Command, Note};
use self::values::View;
use super::{Lives, Op, Program, Unset, User};
use crate::frame::opcode::Opcode;
use crate::plan::program::{Bind, Exhausted, OnError};

/// The instant, on both clocks, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic.
    pub ns: u64,
    /// Since 1970.
    pub unix_ns: u64,
    /// Number of the slot over the whole run.
    pub slot: u32,
}

/// A message that went out and awaits its reply, or had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Place of its name.
    pub name: u16,
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When it was.
    pub sent_ns: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send what has been appended to `out`, then tell [`Session::sent`].
    Send {
        /// Text or Binary.
        opcode: Opcode,
        /// Place of its name.
        name: u16,
        /// When it was to be sent.
        intended_ns: u64,
        /// Since when it could be.
        able_ns: u64,
    },
    /// Send a control ping.
    Ping,
    /// Note this in the timeline.
    Mark(String),
    /// Close the connection.
    Close {
        /// Close code.
        code: u16,
        /// Reason.
        reason: String,
    },
    /// Close the connection and open it again at once.
    Reconnect,
    /// Close the connection for good.
    Abandon,
    /// Nothing until this instant, or a message.
    Wait(Option<u64>),
    /// Something was not as expected.
    Failed {
        /// In general, the same for all connections.
        detail: String,
        /// In particular.
        example: String,
    },
    /// A script raised an exception.
    ScriptFailed {
        /// What and where, the same for all connections.
        detail: String,
        /// Its traceback.
        example: String,
    },
    /// The reply to this message has not come in time.
    Unanswered(Exchange),
    /// The steps of a new connection are over; after a failure the connection is of no use.
    Opened {
        /// A step failed.
        failed: bool,
    },
    /// An iteration is over.
    Ended {
        /// A step failed.
        failed: bool,
        /// When it was due.
        due_ns: u64,
        /// When its last step was over.
        end_ns: u64,
    },
}

/// Who took a message that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the reply to this one.
    Answer(Exchange),
    /// It is a reply that had been given up.
    Late(Exchange),
    /// A rule, or a step that awaited it without having sent anything.
    Taken,
    /// Nobody.
    Push,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Open,
    Iterate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// A message is to be sent first: [`Session::sent`].
    Sending {
        message: u16,
        key: Option<u64>,
        expects: bool,
    },
    Reply {
        key: Option<u64>,
        until_ns: u64,
    },
    Message {
        until_ns: u64,
        left: u32,
    },
    Think {
        until_ns: u64,
    },
}

/// Steps under way.
#[derive(Debug)]
struct Thread {
    which: Which,
    at: usize,
    stack: Vec<u32>,
    failed: bool,
    due_ns: u64,
    /// Nothing has been sent yet: the first exchange counts from when the iteration was due.
    fresh: bool,
}

/// What is to follow the end of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    End,
    Then(OnError),
}

/// Where one connection stands. It outlives its connections, like its slot.
#[derive(Debug)]
pub struct Session {
    /// Values set or captured, by place; empty until there is one.
    own: Vec<Option<Box<[u8]>>>,
    row: Option<usize>,
    thread: Option<Thread>,
    waiting: Waiting,
    exchange: Option<Exchange>,
    /// Since when the next step could begin.
    ready_ns: u64,
    after: Option<After>,
    /// Instructions beside the steps: list and next one of it.
    asides: VecDeque<(usize, usize)>,
    given_up: VecDeque<(u64, Exchange)>,
    clocks_ns: Vec<u64>,
    /// A rule or a check could not be evaluated: to be told.
    trouble: Option<Unset>,
    mismatch: Option<(String, String)>,
    /// Of the message before, where messages must come in order: what the step's query found.
    before: Option<Box<[u8]>>,
    seq: u64,
    asides_sent: u64,
    iterations: u64,
    thoughts: u64,
    open: bool,
    /// There where a script takes the place of steps.
    script: Option<Box<Script>>,
}

impl Session {
    /// A slot's session. `Err`: there is no row for it, and whether that is a failure.
    pub fn new(program: &Program, slot: u32) -> Result<Self, bool> {
        let mut session = Self {
            own: Vec::new(),
            row: None,
            thread: None,
            waiting: Waiting::Nothing,
            exchange: None,
            ready_ns: 0,
            after: None,
            asides: VecDeque::new(),
            given_up: VecDeque::new(),
            clocks_ns: Vec::new(),
            trouble: None,
            mismatch: None,
            before: None,
            seq: 0,
            asides_sent: 0,
            iterations: 0,
            thoughts: 0,
            open: false,
            script: program.script.as_ref().map(|_| Box::default()),
        };
        if let Some(data) = program.data.as_ref().filter(|data| data.bind == Bind::Connection) {
            let row = program.row(data, u64::from(slot), slot);
            session.row = Some(row.ok_or(data.exhausted == Exhausted::Error)?);
        }
        Ok(session)
    }

    /// The connection has been opened: its first steps begin.
    pub fn opened(&mut self, program: &Program, now: Now) {
        self.open = false;
        self.ready_ns = now.ns;
        let user = program.user_of(now.slot);
        self.clocks_ns = user.periods_ns.iter().map(|period| now.ns + period).collect();
        self.start(Which::Open, now.ns);
        self.tell(Note::Opened);
    }

    /// Whether an iteration may begin.
    pub fn is_free(&self) -> bool {
        self.open && self.thread.is_none() && self.after.is_none()
    }

    /// Whether steps are under way.
    pub fn is_busy(&self) -> bool {
        self.thread.is_some()
    }

    /// Whether the reply to a message is awaited.
    pub fn awaits_reply(&self) -> bool {
        matches!(self.waiting, Waiting::Reply { .. })
    }

    /// Since when the next iteration could begin.
    pub fn free_since_ns(&self) -> u64 {
        self.ready_ns
    }

    /// Begins an iteration that was due at `due_ns`. `Err`: there is no row for it, and whether that is a failure.
    pub fn begin(&mut self, program: &Program, due_ns: u64, slot: u32) -> Result<(), bool> {
        if let Some(data) = program.data.as_ref().filter(|data| data.bind == Bind::Iteration) {
            let number = self.iterations * u64::from(program.connections) + u64::from(slot);
            self.row = Some(program.row(data, number, slot).ok_or(data.exhausted == Exhausted::Error)?);
        }
        self.ready_ns = self.ready_ns.max(due_ns);
        self.start(Which::Iterate, due_ns);
        self.tell(Note::Begun);
        Ok(())
    }

    fn start(&mut self, which: Which, due_ns: u64) {
        self.waiting = Waiting::Nothing;
        self.thread = Some(Thread { which, at: 0, stack: Vec::new(), failed: false, due_ns, fresh: true });
    }

    /// The connection is gone. The message that awaited its reply, and the iteration that was under way: when it was due.
    pub fn closed(&mut self) -> (Option<Exchange>, Option<u64>) {
        let exchange = self.exchange.take();
        let thread = self.thread.take();
        self.open = false;
        self.waiting = Waiting::Nothing;
        self.after = None;
        self.mismatch = None;
        self.trouble = None;
        self.asides.clear();
        self.clocks_ns.clear();
        self.given_up.clear();
        self.tell(Note::Closed);
        (exchange, thread.filter(|thread| thread.which == Which::Iterate).map(|thread| thread.due_ns))
    }

    /// Forgets what lived as long as the connection.
    pub fn forget(&mut self, program: &Program) {
        self.clear(program, &[Lives::Iteration, Lives::Connection]);
    }

    /// When something that is repeated is due next.
    pub fn next_clock_ns(&self) -> Option<u64> {
        self.clocks_ns.iter().min().copied()
    }

    /// What is repeated and due is done next.
    pub fn tick(&mut self, program: &Program, now: Now) {
        let user = program.user_of(now.slot);
        let rules = user.rules.len();
        for (place, (at_ns, period_ns)) in self.clocks_ns.iter_mut().zip(&user.periods_ns).enumerate() {
            if *at_ns <= now.ns {
                *at_ns += (now.ns - *at_ns) / period_ns * period_ns + period_ns;
                self.asides.push_back((rules + place, 0));
            }
        }
    }

    /// Number of messages sent: the next one's.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Counts a message that was rendered by [`Session::render`].
    pub fn count_sent(&mut self) {
        self.seq += 1;
    }
}

fn ops(user: &User, which: Which) -> &[Op] {
    match which {
        Which::Open => &user.on_open,
        Which::Iterate => &user.iterate,
    }
}
