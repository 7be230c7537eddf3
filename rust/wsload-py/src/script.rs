//! `Scripts`: what scenarios in Python ask of their connections and are told.
//!
//! These calls are short and made by the loop's own thread: they keep the GIL.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use wsload_core::frame::opcode::Opcode;
use wsload_core::matching::KeySource;
use wsload_core::program::{Awaited, Command, Note};
use wsload_engine::Answer;

use crate::shard::Shard;

const DONE: u8 = 0;
const GONE: u8 = 1;
/// The next iteration has begun, or the message has no key.
const OTHER: u8 = 2;

#[pyclass(frozen, module = "wsload._core")]
pub struct Scripts {
    shard: Py<Shard>,
    /// Where keys stand in what is sent and in what is received.
    matches: Mutex<Vec<(KeySource, Arc<KeySource>)>>,
}

#[pymethods]
impl Scripts {
    #[new]
    fn new(shard: Py<Shard>) -> Self {
        Self { shard, matches: Mutex::default() }
    }

    fn match_by(&self, sent: &str, received: &str) -> PyResult<usize> {
        let (sent, received) = (source(sent)?, source(received)?);
        let mut matches = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
        matches.push((sent, Arc::new(received)));
        Ok(matches.len() - 1)
    }

    #[pyo3(signature = (index, payload, text, name, within_ns, match_id))]
    fn send(
        &self,
        index: u32,
        payload: &[u8],
        text: bool,
        name: u16,
        within_ns: Option<u64>,
        match_id: Option<usize>,
    ) -> PyResult<u8> {
        let key = match match_id {
            None => None,
            Some(place) => {
                let matches = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
                let (sent, received) = matches.get(place).ok_or_else(|| PyValueError::new_err("no such match"))?;
                let Some(key) = sent.key_of(payload) else { return Ok(OTHER) };
                Some((key, received.clone()))
            }
        };
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let reply = within_ns.map(|within_ns| Awaited { key, within_ns });
        Ok(self.ask(index, Command::Send { opcode, name, payload: payload.to_vec(), reply }))
    }

    fn receive<'py>(&self, py: Python<'py>, index: u32, within_ns: u64) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let answer = self.shard.get().lock().command(index, Command::Receive { within_ns });
        match answer {
            Ok(Answer::Message(opcode, payload)) => message(py, opcode, &payload).map(Some),
            Ok(_) => Ok(None),
            Err(_) => (GONE,).into_pyobject(py).map(Some),
        }
    }

    fn iterate(&self, index: u32) -> u8 {
        self.ask(index, Command::Iterate)
    }

    fn think(&self, index: u32, for_ns: u64) -> u8 {
        self.ask(index, Command::Think { for_ns })
    }

    fn ping(&self, index: u32) -> u8 {
        self.ask(index, Command::Ping)
    }

    fn close(&self, index: u32, code: u16, reason: String) -> u8 {
        self.ask(index, Command::Close { code, reason })
    }

    fn reconnect(&self, index: u32) -> u8 {
        self.ask(index, Command::Reconnect)
    }

    fn back(&self, index: u32) -> u8 {
        self.ask(index, Command::Back)
    }

    #[pyo3(signature = (index, failed, told, expected))]
    fn over(&self, index: u32, failed: bool, told: Option<(String, String)>, expected: bool) -> u8 {
        self.ask(index, Command::Over { failed, told, expected })
    }

    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut notes = Vec::new();
        self.shard.get().lock().take_notes(&mut notes);
        let told = PyList::empty(py);
        for (index, note) in notes {
            told.append(match note {
                Note::Opened => (index, 0_u8, py.None()).into_pyobject(py)?,
                Note::Begun => (index, 1_u8, py.None()).into_pyobject(py)?,
                Note::Message(opcode, payload) => {
                    (index, 2_u8, message(py, opcode, &payload)?.into_any().unbind()).into_pyobject(py)?
                }
                Note::Elapsed => (index, 3_u8, py.None()).into_pyobject(py)?,
                Note::Missed => (index, 4_u8, py.None()).into_pyobject(py)?,
                Note::Closed => (index, 5_u8, py.None()).into_pyobject(py)?,
            })?;
        }
        Ok(told)
    }

    fn settle(&self, py: Python<'_>) {
        py.detach(|| self.shard.get().lock().commands_over());
    }

    fn variable<'py>(&self, py: Python<'py>, index: u32, place: u16) -> Option<Bound<'py, PyBytes>> {
        self.shard.get().lock().variable(index, place).map(|value| PyBytes::new(py, value))
    }

    fn set_variable(&self, index: u32, place: u16, value: &[u8]) {
        self.shard.get().lock().set_variable(index, place, value);
    }

    fn number_of(&self, index: u32) -> u32 {
        self.shard.get().lock().number_of(index)
    }
}

impl Scripts {
    fn ask(&self, index: u32, command: Command) -> u8 {
        match self.shard.get().lock().command(index, command) {
            Ok(Answer::Begun) => OTHER,
            Ok(_) => DONE,
            Err(_) => GONE,
        }
    }
}

/// Whether it is text, and its bytes.
fn message<'py>(py: Python<'py>, opcode: Opcode, payload: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
    (opcode == Opcode::Text, PyBytes::new(py, payload)).into_pyobject(py)
}

/// `echo`, `json:PATH` or `regex:RE`.
fn source(text: &str) -> PyResult<KeySource> {
    let made = match text.split_once(':') {
        _ if text == "echo" => Ok(KeySource::Echo),
        Some(("json", path)) => KeySource::json(path),
        Some(("regex", expression)) => KeySource::regex(expression),
        _ => return Err(PyValueError::new_err(format!("{text:?} is none of echo, json:PATH, regex:RE"))),
    };
    made.map_err(|error| PyValueError::new_err(error.to_string()))
}
