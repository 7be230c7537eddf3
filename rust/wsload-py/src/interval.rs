//! `Snapshot` (one worker's interval, not encoded yet) and `Interval` (decoded and merged).

use std::collections::BTreeMap;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use wsload_core::timeline;

#[pyclass(frozen, module = "wsload._core")]
pub struct Snapshot(wsload_core::interval::Snapshot);

impl From<wsload_core::interval::Snapshot> for Snapshot {
    fn from(snapshot: wsload_core::interval::Snapshot) -> Self {
        Self(snapshot)
    }
}

#[pymethods]
impl Snapshot {
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }
}

#[pyclass(frozen, module = "wsload._core")]
pub struct Interval(wsload_core::interval::Interval);

type Failure = (&'static str, String, u64, u64, String);

#[pymethods]
impl Interval {
    #[staticmethod]
    fn merge(py: Python<'_>, blocks: Vec<Vec<u8>>) -> PyResult<Self> {
        use wsload_core::interval::Interval as Core;
        let merged = py.detach(|| -> Result<Option<Core>, String> {
            let mut merged: Option<Core> = None;
            for block in &blocks {
                let next = Core::decode(block).map_err(|error| error.to_string())?;
                match &mut merged {
                    None => merged = Some(next),
                    Some(all) => all.merge(&next).map_err(|error| error.to_string())?,
                }
            }
            Ok(merged)
        });
        match merged {
            Ok(Some(merged)) => Ok(Self(merged)),
            Ok(None) => Err(PyValueError::new_err("no blocks to merge")),
            Err(error) => Err(PyValueError::new_err(error)),
        }
    }

    #[pyo3(signature = (shift_ns = 0))]
    fn encode<'py>(&self, py: Python<'py>, shift_ns: i64) -> Bound<'py, PyBytes> {
        let block = py.detach(|| {
            let mut moved = self.0.clone();
            moved.shift(shift_ns);
            moved.encode()
        });
        PyBytes::new(py, &block)
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index
    }

    #[getter]
    fn warmup(&self) -> bool {
        self.0.warmup
    }

    #[getter]
    fn start_ns(&self) -> u64 {
        self.0.start_ns
    }

    #[getter]
    fn end_ns(&self) -> u64 {
        self.0.end_ns
    }

    #[getter]
    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.0.counters.each().collect()
    }

    #[getter]
    fn gauges(&self) -> BTreeMap<&'static str, u64> {
        self.0.gauges.each().collect()
    }

    #[getter]
    fn close_codes(&self) -> BTreeMap<u16, u64> {
        self.0.close_codes.clone()
    }

    #[getter]
    fn failures(&self) -> Vec<Failure> {
        let row = |failure: &wsload_core::interval::FailureRecord| {
            let (detail, example) = (failure.detail.clone(), failure.example.clone());
            (failure.kind.name(), detail, failure.count, failure.first_ns, example)
        };
        self.0.failures.records().iter().map(row).collect()
    }

    #[getter]
    fn negotiated(&self) -> Vec<(&'static str, String, u64)> {
        let row = |known: &wsload_core::interval::Agreement| (known.aspect.name(), known.value.clone(), known.count);
        self.0.negotiated.agreements().iter().map(row).collect()
    }

    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let damaged = |error: timeline::EventError| PyValueError::new_err(error.to_string());
        let mut events = timeline::decode(&self.0.events).map_err(damaged)?;
        events.sort_by_key(|event| (event.head.at_ns, event.head.slot, event.head.attempt, event.head.seq));
        events.iter().map(|event| self.event(py, event)).collect()
    }

    #[getter]
    fn histograms<'py>(&self, py: Python<'py>) -> Vec<(&'static str, String, Bound<'py, PyBytes>)> {
        let encoded = self.0.histograms.iter();
        encoded
            .map(|((metric, name), histogram)| (metric.name(), name.to_string(), PyBytes::new(py, &histogram.encode())))
            .collect()
    }
}

impl Interval {
    fn event<'py>(&self, py: Python<'py>, event: &timeline::Event<'_>) -> PyResult<Bound<'py, PyTuple>> {
        let head = event.head;
        let name = self.0.event_names.get(usize::from(head.name));
        PyTuple::new(
            py,
            [
                head.at_ns.into_bound_py_any(py)?,
                head.slot.into_bound_py_any(py)?,
                head.attempt.into_bound_py_any(py)?,
                head.seq.into_bound_py_any(py)?,
                head.direction.name().into_bound_py_any(py)?,
                head.kind.name().into_bound_py_any(py)?,
                name.into_bound_py_any(py)?,
                head.size.into_bound_py_any(py)?,
                head.latency_ns.into_bound_py_any(py)?,
                event.close_code().into_bound_py_any(py)?,
                event.failure().map(|kind| kind.name()).into_bound_py_any(py)?,
                head.flags.into_bound_py_any(py)?,
                head.why.into_bound_py_any(py)?,
                PyBytes::new(py, event.payload).into_any(),
            ],
        )
    }
}
