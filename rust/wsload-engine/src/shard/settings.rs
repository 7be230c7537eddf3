//! What a plan means for one worker.

use std::net::IpAddr;

use wsload_core::connection::Config;
use wsload_core::frame::opcode::Opcode;
use wsload_core::handshake::Request;
use wsload_core::handshake::connect_request;
use wsload_core::matching::KeySource;
use wsload_core::message::Limits;
use wsload_core::plan::program::{self, Name};
use wsload_core::plan::{Close, Handshake, KeySpec, Load, Matching, Message, MessageKind, Ping, Plan, Target};
use wsload_core::program::Program;
use wsload_core::reconnect::Reconnect;
use wsload_core::replay::Script;
use wsload_core::schedule::{Grain, OpenSchedule, Think, share};
use wsload_core::template::{RenderContext, Template};

use crate::tls;

/// Attempts under way at once when no connect rate is asked for: more only overflows the server's listen queue.
const MAX_OPENING: u32 = 256;

/// A payload ready to be framed.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) opcode: Opcode,
    pub(super) bytes: Vec<u8>,
    /// What it is rendered from, if it differs from send to send.
    pub(super) template: Option<Template>,
}

impl TryFrom<&Message> for Payload {
    type Error = String;

    fn try_from(message: &Message) -> Result<Self, String> {
        let opcode = match message.kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        let mut bytes = message.payload.clone();
        let mut template = None;
        if message.template {
            let text = std::str::from_utf8(&bytes).map_err(|_| "--message: a template must be text".to_owned())?;
            let compiled = Template::compile(text).map_err(|error| format!("--message: {error}"))?;
            if compiled.is_static() {
                let mut rendered = Vec::new();
                compiled.render(&RenderContext { seed: 0, slot: 0, seq: 0, iteration: 0, unix_ns: 0 }, &mut rendered);
                bytes = rendered;
            } else {
                template = Some(compiled);
            }
        }
        Ok(Self { opcode, bytes, template })
    }
}

/// Where a key stands in what is sent and in what is received.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) sent: KeySource,
    pub(super) received: KeySource,
}

impl Keys {
    /// The error is for the person who chose the keys.
    fn new(matching: &Matching, message: Option<&Payload>) -> Result<Option<Self>, String> {
        let Matching::Key { sent, received } = matching else { return Ok(None) };
        let source = |spec: &KeySpec| spec.source().map_err(|error| format!("--match: {error}"));
        let keys = Self { sent: source(sent)?, received: source(received)? };
        let Some(message) = message else { return Ok(Some(keys)) };
        let of = |slot, seq| {
            let mut bytes = Vec::new();
            match &message.template {
                Some(template) => {
                    template.render(&RenderContext { seed: 1, slot, seq, iteration: seq, unix_ns: 0 }, &mut bytes)
                }
                None => bytes.extend_from_slice(&message.bytes),
            }
            keys.sent.key_of(&bytes)
        };
        let (one, later, elsewhere) = (of(0, 0), of(0, 1), of(1, 0));
        if one.is_none() {
            return Err("--match: the message does not hold such a key".to_owned());
        }
        if one == later || one == elsewhere {
            return Err("--match: its key is the same in every message; put {{$id}} where it stands".to_owned());
        }
        Ok(Some(keys))
    }
}

/// What starts messages, with what only that model needs.
#[derive(Debug)]
pub(super) enum Drive {
    Closed { in_flight: u32, think: Option<Think> },
    Open { schedule: OpenSchedule, lazy: bool },
    Idle,
    Echo,
    Replay(Box<Recorded>),
}

/// A recording to play.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) script: Script,
    /// [`Script::origin_ns`], which looks at every step.
    pub(super) origin_ns: u64,
    pub(super) speed: f64,
    pub(super) wait_replies: bool,
    pub(super) lazy: bool,
}

impl Recorded {
    fn new(script: Script, (speed, wait_replies): (f64, bool), plan: &Plan, workers: u32) -> Self {
        let copies = f64::from(plan.connections) / script.parts.len() as f64;
        let seconds = script.length_ns() as f64 / 1e9 / if speed > 0.0 { speed } else { f64::INFINITY };
        let rate_per_s = script.messages() as f64 * copies / seconds;
        let lazy = !wait_replies && seconds > 0.0 && reads_lazily(rate_per_s, plan, workers);
        Self { origin_ns: script.origin_ns(), script, speed, wait_replies, lazy }
    }
}

/// Above one message per tick the timer wakes us often enough to read replies then, too. But two replies that are read
/// together share a stamp: a connection that expects more than one is read at once.
fn reads_lazily(rate_per_s: f64, plan: &Plan, workers: u32) -> bool {
    let per_tick = rate_per_s * plan.grain_ns as f64 / 1e9;
    per_tick / f64::from(workers) >= 1.0 && per_tick / f64::from(plan.connections) <= 0.25
}

/// The plan as seen by worker `worker` of `workers`: it owns the slots `worker + k * workers`.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) worker: u32,
    pub(super) workers: u32,
    pub(super) slots: u32,
    pub(super) drive: Drive,
    pub(super) message: Option<Payload>,
    /// Names under which exchanges are recorded, and which of them is the schedule's message.
    pub(super) names: Vec<Name>,
    pub(super) name: u16,
    pub(super) first_message: Option<Payload>,
    /// What connections do beyond one message.
    pub(super) program: Option<Program>,
    /// Its iterations are one message alone, which goes the way of messages without a scenario.
    pub(super) simple: bool,
    pub(super) awaits_replies: bool,
    pub(super) keys: Option<Keys>,
    /// Slots from this number on only receive.
    pub(super) publishers: Option<u32>,
    /// Messages are rendered anew, or matched by key: sending one takes more than encoding it.
    pub(super) varies: bool,
    pub(super) connect_gap_ns: Option<u64>,
    /// Attempts under way at once; with a connect rate there is no bound unless one is asked for.
    pub(super) max_opening: u32,
    /// What the proxy is asked.
    pub(super) tunnel_request: Option<Vec<u8>>,
    pub(super) tls: Option<tls::TlsSettings>,
    pub(super) ping: Option<Ping>,
    pub(super) close: Close,
    /// Target and handshake as the plan has them.
    pub(super) asked: (Target, Handshake),
    /// Path and query, by which cookies are chosen.
    pub(super) resource: String,
    pub(super) connect_timeout_ns: u64,
    pub(super) reply_timeout_ns: u64,
    pub(super) reconnect: Reconnect,
    pub(super) source_ips: Vec<IpAddr>,
    /// See [`Plan::every_address`].
    pub(super) every_address: bool,
    pub(super) interval_ns: u64,
    pub(super) grain: Grain,
    pub(super) seed: u64,
    pub(super) connection_lifetime_ns: Option<u64>,
    pub(super) warmup_ns: u64,
    /// Length of warm-up and measured part together.
    pub(super) length_ns: Option<u64>,
    pub(super) iterations: Option<u64>,
    connections: u32,
}

impl Settings {
    /// The error says what is wrong with a certificate or key.
    pub(super) fn new(plan: &Plan, worker: u32, workers: u32) -> Result<Self, String> {
        let length_ns = plan.duration_ns.map(|duration| duration + plan.warmup_ns);
        let slots = share(u64::from(plan.connections), workers, worker) as u32;
        let senders = plan.publishers.unwrap_or(plan.connections);
        let drive = match &plan.load {
            Load::Closed { in_flight, think } => Drive::Closed { in_flight: *in_flight, think: *think },
            Load::Open { rate_per_s, stages, arrivals } => Drive::Open {
                schedule: if stages.is_empty() {
                    OpenSchedule::new(*rate_per_s, *arrivals, senders, plan.seed, plan.iterations, length_ns)
                } else {
                    OpenSchedule::staged(stages, *arrivals, senders, plan.seed, plan.iterations)
                },
                lazy: reads_lazily(*rate_per_s, plan, workers),
            },
            Load::Idle => Drive::Idle,
            Load::Echo => Drive::Echo,
            Load::Replay { speed, wait_replies, names, script } => {
                let script = Script::from_json(script, names.len()).map_err(|error| error.to_string())?;
                Drive::Replay(Box::new(Recorded::new(script, (*speed, *wait_replies), plan, workers)))
            }
        };
        let alone = plan.program.as_ref().and_then(Program::simple);
        let (message, keys, awaits_replies, reply_timeout_ns) = match (&plan.program, alone) {
            (Some(program), Some(outgoing)) => of_program(program, outgoing, plan.reply_timeout_ns)?,
            (Some(_), None) => (None, None, false, plan.reply_timeout_ns),
            (None, _) => {
                let message = plan.message.as_ref().map(Payload::try_from).transpose()?;
                let keys = Keys::new(&plan.matching, message.as_ref())?;
                (message, keys, plan.matching != Matching::None, plan.reply_timeout_ns)
            }
        };
        let program = plan.program.as_ref().map(|program| {
            let compiled = Program::compile(program, (&plan.target, &plan.handshake), (plan.seed, plan.connections));
            let redacted = plan.redacted().map_err(|error| error.to_string())?;
            compiled.map(|program| program.hiding(redacted)).map_err(|error| format!("scenario: {error}"))
        });
        let paced = plan.connect_rate_per_s.is_some();
        Ok(Self {
            worker,
            workers,
            slots,
            drive,
            publishers: plan.publishers,
            varies: keys.is_some() || message.as_ref().is_some_and(|message| message.template.is_some()),
            keys,
            message,
            program: program.transpose()?,
            simple: alone.is_some(),
            names: names(plan),
            name: alone.map_or(0, |outgoing| outgoing.name),
            first_message: plan.first_message.as_ref().map(Payload::try_from).transpose()?,
            awaits_replies,
            connect_gap_ns: plan.connect_rate_per_s.map(|rate| (1e9 * f64::from(workers) / rate) as u64),
            max_opening: plan.max_opening.unwrap_or(if paced { u32::MAX } else { MAX_OPENING }),
            tunnel_request: plan.proxy.as_ref().map(connect_request),
            tls: plan.tls.as_ref().map(tls::load).transpose()?,
            ping: plan.ping,
            close: plan.close.clone(),
            asked: (plan.target.clone(), plan.handshake.clone()),
            resource: plan.target.resource.clone(),
            connect_timeout_ns: plan.connect_timeout_ns,
            reply_timeout_ns,
            reconnect: plan.reconnect,
            source_ips: plan.source_ips.clone(),
            every_address: plan.every_address,
            interval_ns: plan.interval_ns,
            grain: Grain::new(plan.grain_ns, worker, workers),
            seed: plan.seed,
            connection_lifetime_ns: plan.connection_lifetime_ns,
            warmup_ns: plan.warmup_ns,
            length_ns,
            iterations: plan.iterations,
            connections: plan.connections,
        })
    }

    /// What the connection state machine needs of the plan.
    pub(super) fn protocol(plan: &Plan) -> Config {
        Config {
            request: Request::new(&plan.target, &plan.handshake),
            limits: Limits { frame_bytes: plan.max_frame_bytes, message_bytes: plan.max_message_bytes },
            fragment_bytes: plan.fragment_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }

    /// Number over the whole run of the worker's slot `index`.
    pub(super) fn global_slot(&self, index: u32) -> u32 {
        self.worker + index * self.workers
    }

    /// Closed loop: how many messages slot `index` may send in the whole run.
    pub(super) fn closed_share(&self, index: u32) -> u64 {
        self.iterations.map_or(u64::MAX, |total| share(total, self.connections, self.global_slot(index)))
    }
}

/// Names of exchanges: those of the program, or that of the one message.
fn names(plan: &Plan) -> Vec<Name> {
    match (&plan.program, &plan.message) {
        (Some(program), _) => program.names.clone(),
        (None, Some(message)) => vec![Name { name: message.name.clone(), total: true }],
        (None, None) => match &plan.load {
            Load::Replay { names, .. } => names.iter().map(|name| Name { name: name.clone(), total: true }).collect(),
            _ => Vec::new(),
        },
    }
}

/// The one message of a scenario's iterations: itself, its keys, whether a reply is awaited, and for how long.
fn of_program(
    program: &program::Program,
    outgoing: &program::Outgoing,
    reply_timeout_ns: u64,
) -> Result<(Option<Payload>, Option<Keys>, bool, u64), String> {
    let place_of = |name: &str| {
        let place = program.variables.iter().position(|variable| variable.name == name)?;
        u16::try_from(place).ok()
    };
    let opcode = match outgoing.kind {
        MessageKind::Text => Opcode::Text,
        MessageKind::Binary => Opcode::Binary,
    };
    let mut template = None;
    let mut bytes = outgoing.payload.clone();
    if outgoing.template {
        let text = std::str::from_utf8(&bytes).map_err(|_| "scenario: a template must be text".to_owned())?;
        let compiled = Template::compile_with(text, place_of).map_err(|error| format!("scenario: {error}"))?;
        match compiled.as_static() {
            Some(text) => bytes = text.to_vec(),
            None => template = Some(compiled),
        }
    }
    let message = Some(Payload { opcode, bytes, template });
    let Some(reply) = &outgoing.reply else { return Ok((message, None, false, reply_timeout_ns)) };
    let source = |spec: &KeySpec| spec.source().map_err(|error| format!("scenario: {error}"));
    let keys = match &reply.key {
        Some(pair) => Some(Keys { sent: source(&pair.sent)?, received: source(&pair.received)? }),
        None => None,
    };
    Ok((message, keys, true, reply.within_ns))
}
