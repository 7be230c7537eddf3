//! The Python module `wsload._core`: conversion only, no decision.
//!
//! Every call that can take time releases the GIL.
// The generated trampolines of PyO3 are not ours to document.
#![allow(missing_docs)]

mod histogram;
mod interval;
mod json;
mod script;
mod shard;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use wsload_core::interval::Metric;
use wsload_core::plan;
use wsload_core::tally::{Counters, FailureKind, Gauges};

#[pymodule]
mod _core {
    use super::*;

    #[pymodule_export]
    use super::build_info;
    #[pymodule_export]
    use super::check_plan;
    #[pymodule_export]
    use super::histogram::Histogram;
    #[pymodule_export]
    use super::interval::{Interval, Snapshot};
    #[pymodule_export]
    use super::json::{Condition, JsonPath, payload_key};
    #[pymodule_export]
    use super::script::Scripts;
    #[pymodule_export]
    use super::shard::Shard;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("COUNTERS", PyTuple::new(py, Counters::NAMES)?)?;
        module.add("GAUGES", PyTuple::new(py, Gauges::NAMES)?)?;
        module.add("METRICS", PyTuple::new(py, Metric::ALL.iter().map(|metric| metric.name()))?)?;
        module.add("FAILURE_KINDS", PyTuple::new(py, FailureKind::ALL.iter().map(|kind| kind.name()))?)?;
        module.add("PLAN_SCHEMA_VERSION", plan::SCHEMA_VERSION)
    }
}

/// ValueError: what is wrong with a certificate, key, template or matching of the plan.
#[pyfunction]
fn check_plan(py: Python<'_>, plan_json: &str) -> PyResult<()> {
    let checked = py.detach(|| {
        let plan = plan::Plan::from_json(plan_json).map_err(|error| error.to_string())?;
        wsload_engine::check(&plan)
    });
    checked.map_err(pyo3::exceptions::PyValueError::new_err)
}

/// What this module was built from and how.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    Ok(info)
}
