//! One connection slot. A slot is numbered over the whole run and survives reconnects.

use wsload_core::connection::Connection;
use wsload_core::handshake::Jar;
use wsload_core::matching::Queue;
use wsload_core::program::Session;
use wsload_core::schedule::Cursor;

use crate::os::Socket;
use crate::tls;

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Waits for its turn in the connect ramp.
    Unopened,
    /// TCP handshake under way.
    Connecting,
    /// The proxy has been asked for a tunnel.
    Tunnelling,
    /// TLS handshake under way.
    Securing,
    /// Upgrade request sent, no verdict yet.
    Upgrading,
    /// Open.
    Open,
    /// A Close was sent or answered; waits, bounded, for the server to end TCP (RFC 6455 section 7.1.1).
    Closing,
    /// Closed; will be opened again.
    Waiting,
    /// Closed for good.
    Finished,
}

/// Bytes the kernel has not taken yet.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: usize,
}

/// What a proxy has answered so far.
#[derive(Debug, Default)]
pub(super) struct Tunnel {
    pub(super) head: Vec<u8>,
}

/// What every message touches lies in the first two cache lines: with thousands of connections each line more is one
/// that has to come from afar.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Slot {
    pub(super) connection: Connection,
    pub(super) socket: Option<Socket>,
    /// Counts sockets: an event fetched for an earlier socket of this slot is told apart by it.
    pub(super) generation: u32,
    /// Messages awaiting a reply, oldest first.
    pub(super) awaiting: Queue,
    /// Closed loop: sends allowed now.
    pub(super) credit: u32,
    pub(super) tail: Option<Box<Tail>>,
    pub(super) tls: Option<Box<tls::Session>>,
    pub(super) tunnel: Option<Box<Tunnel>>,
    /// When it was last read until it was empty; 0: not yet.
    pub(super) emptied_ns: u64,
    /// When the current step of it began: TCP, tunnel, TLS, upgrade. Open: since when it can send.
    pub(super) step_ns: u64,
    /// Closed loop: sends left for the whole run.
    pub(super) remaining: u64,
    /// When the ping went out whose pong is awaited; 0: none is.
    pub(super) ping_ns: u64,
    /// When the last message arrived that answers nothing; 0: none has.
    pub(super) push_ns: u64,
    pub(super) stage: Stage,
    /// It has reached its lifetime: nothing more is sent, it is replaced when its replies have come.
    pub(super) retiring: bool,
    pub(super) was_open: bool,
    /// The first attempt has succeeded or failed.
    pub(super) first_over: bool,
    /// Which of the target's addresses the attempt uses, and how many it has tried.
    pub(super) address: u8,
    pub(super) addresses_tried: u8,
    /// Attempts made since the slot was last of use.
    pub(super) retries: u32,
    /// When it was lost; 0: it was not, or has recovered.
    pub(super) lost_ns: u64,
    /// Open loop: messages due and not sent.
    pub(super) backlog: u64,
    /// Open loop: the first of the backlog, once there is one. Closed loop with think times: the next send.
    pub(super) next_send: Cursor,
    /// Open loop: the next message to come due; `None` at the schedule's end.
    pub(super) next_due: Option<Cursor>,
    /// Messages sent by the slot, over all its connections.
    pub(super) sent: u64,
    /// Start of the current attempt.
    pub(super) attempt_ns: u64,
    /// Cookies that the server has set, if they are kept.
    pub(super) jar: Option<Box<Jar>>,
    /// Where it stands in its scenario, if it follows one.
    pub(super) session: Option<Box<Session>>,
    /// Its scenario is over for good.
    pub(super) abandoned: bool,
}

impl Slot {
    pub(super) fn new(remaining: u64, next_due: Option<Cursor>) -> Self {
        Self {
            connection: Connection::new(),
            socket: None,
            stage: Stage::Unopened,
            generation: 0,
            awaiting: Queue::default(),
            tail: None,
            tunnel: None,
            tls: None,
            jar: None,
            session: None,
            abandoned: false,
            emptied_ns: 0,
            push_ns: 0,
            ping_ns: 0,
            credit: 0,
            remaining,
            backlog: 0,
            next_send: Cursor { seq: 0, due_ns: 0 },
            next_due,
            sent: 0,
            attempt_ns: 0,
            step_ns: 0,
            address: 0,
            addresses_tried: 0,
            retries: 0,
            lost_ns: 0,
            was_open: false,
            retiring: false,
            first_over: false,
        }
    }

    /// Value its socket carries in the epoll set.
    pub(super) fn token(&self, index: u32) -> u64 {
        u64::from(self.generation) << 32 | u64::from(index)
    }
}
