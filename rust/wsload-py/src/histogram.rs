//! `Histogram`: whole histograms in, percentiles out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wsload_core::histogram::MergedHistogram;

#[pyclass(frozen, module = "wsload._core")]
pub struct Histogram(Mutex<MergedHistogram>);

impl Histogram {
    fn lock(&self) -> MutexGuard<'_, MergedHistogram> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Histogram {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(MergedHistogram::default()))
    }

    fn add(&self, py: Python<'_>, encoded: &[u8]) -> PyResult<()> {
        py.detach(|| self.lock().add_encoded(encoded)).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn subtract(&self, py: Python<'_>, encoded: &[u8]) -> PyResult<()> {
        py.detach(|| self.lock().subtract_encoded(encoded)).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.lock().encode()))
    }

    fn steps<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let pairs = py.detach(|| {
            let histogram = self.lock();
            histogram.iter().flat_map(|(value, count)| [value, count]).flat_map(u64::to_le_bytes).collect::<Vec<u8>>()
        });
        PyBytes::new(py, &pairs)
    }

    #[getter]
    fn count(&self) -> u64 {
        self.lock().count()
    }

    #[getter]
    fn min(&self) -> u64 {
        self.lock().min()
    }

    #[getter]
    fn max(&self) -> u64 {
        self.lock().max()
    }

    #[getter]
    fn mean(&self) -> f64 {
        self.lock().mean()
    }

    fn value_at_quantile(&self, quantile: f64) -> PyResult<u64> {
        if !(0.0..=1.0).contains(&quantile) {
            return Err(PyValueError::new_err(format!("quantile {quantile} is not between 0 and 1")));
        }
        Ok(self.lock().value_at_quantile(quantile))
    }
}
