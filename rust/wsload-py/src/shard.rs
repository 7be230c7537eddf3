//! `Shard`: the engine behind one descriptor.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use wsload_core::plan::Plan;
use wsload_engine::{Phase, ShardError};

use crate::interval::Snapshot;

/// Time budget of one `poll`, ns: long enough to amortise the wake-up, short enough for the loop's other work.
const POLL_BUDGET_NS: u64 = 2_000_000;

#[pyclass(frozen, module = "wsload._core")]
pub struct Shard {
    inner: Mutex<wsload_engine::Shard>,
    descriptor: i32,
}

impl Shard {
    /// A panic inside a call leaves counters, at worst, half written: the shard stays usable for `abort` and `take`.
    pub(crate) fn lock(&self) -> MutexGuard<'_, wsload_engine::Shard> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Shard {
    #[new]
    fn new(py: Python<'_>, plan_json: &str, worker: u32, workers: u32) -> PyResult<Self> {
        if worker >= workers {
            return Err(PyValueError::new_err(format!("worker {worker} of {workers}")));
        }
        let made = py.detach(|| {
            let plan = Plan::from_json(plan_json)?;
            wsload_engine::Shard::new(&plan, worker, workers)
        });
        match made {
            Ok(shard) => Ok(Self { descriptor: shard.as_raw_fd(), inner: Mutex::new(shard) }),
            Err(ShardError::Plan(error)) => Err(PyValueError::new_err(error.to_string())),
            Err(ShardError::Tls(why)) => Err(PyValueError::new_err(why)),
            Err(ShardError::Os(error)) => Err(PyOSError::new_err(error.to_string())),
        }
    }

    fn fileno(&self) -> i32 {
        self.descriptor
    }

    #[pyo3(signature = (addresses, at_ns, first_index=None))]
    fn connect(
        &self,
        py: Python<'_>,
        addresses: Vec<(String, u16)>,
        at_ns: u64,
        first_index: Option<u64>,
    ) -> PyResult<()> {
        let addresses = parse_addresses(&addresses)?;
        py.detach(|| {
            let mut shard = self.lock();
            // Stopped before it began: there is nothing to connect for.
            if shard.phase() == Phase::Done {
                return Ok(());
            }
            require_idle(&shard)?;
            match first_index {
                Some(index) => shard.connect_again(&addresses, at_ns, index),
                None => shard.connect(&addresses, at_ns),
            }
            Ok(())
        })
    }

    fn set_addresses(&self, py: Python<'_>, addresses: Vec<(String, u16)>) -> PyResult<()> {
        let addresses = parse_addresses(&addresses)?;
        py.detach(|| self.lock().set_addresses(&addresses));
        Ok(())
    }

    fn resolved_in(&self, py: Python<'_>, span_ns: u64) {
        py.detach(|| self.lock().resolved_in(span_ns));
    }

    fn fail_dns(&self, py: Python<'_>, reason: &str, at_ns: u64) -> PyResult<()> {
        py.detach(|| {
            let mut shard = self.lock();
            if shard.phase() == Phase::Done {
                return Ok(());
            }
            require_idle(&shard)?;
            shard.fail_dns(reason, at_ns);
            Ok(())
        })
    }

    fn go(&self, py: Python<'_>, at_ns: u64) {
        py.detach(|| self.lock().go(at_ns));
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.lock().stop());
    }

    fn abort(&self, py: Python<'_>) {
        py.detach(|| self.lock().abort());
    }

    fn poll(&self, py: Python<'_>) -> u32 {
        let progress = py.detach(|| self.lock().poll(POLL_BUDGET_NS));
        u32::from(progress.snapshot) | u32::from(progress.phase) << 1 | u32::from(progress.notes) << 2
    }

    fn state(&self, py: Python<'_>) -> &'static str {
        py.detach(|| self.lock().phase().name())
    }

    fn take(&self, py: Python<'_>) -> Option<Snapshot> {
        py.detach(|| self.lock().take()).map(Snapshot::from)
    }
}

fn parse_addresses(addresses: &[(String, u16)]) -> PyResult<Vec<SocketAddr>> {
    let parse = |(host, port): &(String, u16)| -> PyResult<SocketAddr> {
        let ip: IpAddr = host.parse().map_err(|_| PyValueError::new_err(format!("not an IP address: {host}")))?;
        Ok(SocketAddr::new(ip, *port))
    };
    let addresses = addresses.iter().map(parse).collect::<PyResult<Vec<_>>>()?;
    if addresses.is_empty() { Err(PyValueError::new_err("no address to connect to")) } else { Ok(addresses) }
}

fn require_idle(shard: &wsload_engine::Shard) -> PyResult<()> {
    if shard.phase() == Phase::Idle { Ok(()) } else { Err(PyRuntimeError::new_err("connections were begun before")) }
}
