//! `JsonPath` and `Condition`: one implementation of RFC 9535 and of regular expressions for runs, filters and masks.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wsload_core::json::Query;
use wsload_core::matching::KeySource;
use wsload_core::program::Filter;

#[pyclass(frozen, module = "wsload._core")]
pub struct JsonPath(Query);

#[pymethods]
impl JsonPath {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        Query::parse(text).map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn all(&self, py: Python<'_>, payload: &[u8]) -> Vec<String> {
        py.detach(|| self.0.all(payload))
    }

    fn paths(&self, py: Python<'_>, payload: &[u8]) -> Vec<String> {
        py.detach(|| self.0.paths(payload))
    }

    fn first<'py>(&self, py: Python<'py>, payload: &[u8]) -> Option<Bound<'py, PyBytes>> {
        py.detach(|| self.0.first(payload)).map(|found| PyBytes::new(py, &found))
    }
}

#[pyclass(frozen, module = "wsload._core")]
pub struct Condition(Filter);

#[pymethods]
impl Condition {
    #[new]
    fn new(condition_json: &str) -> PyResult<Self> {
        let refused = |why: String| PyValueError::new_err(why);
        let condition = serde_json::from_str(condition_json).map_err(|error| refused(error.to_string()))?;
        Filter::compile(&condition).map(Self).map_err(|error| refused(error.to_string()))
    }

    /// Too short a call to let go of the interpreter for.
    fn holds(&self, payload: &[u8]) -> bool {
        self.0.holds(payload)
    }
}

#[pyfunction]
pub fn payload_key(payload: &[u8]) -> u64 {
    KeySource::Echo.key_of(payload).unwrap_or_default()
}
