//! `JsonPath`: one implementation of RFC 9535 for runs, filters and masks.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wsload_core::json::Query;

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
