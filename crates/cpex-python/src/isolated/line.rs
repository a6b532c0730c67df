//! The worker's side: calls that come from the host, and what goes back.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use cpex_isolated::worker::{Frame, FrameError, Line, LineError, Message, Received};
use pyo3::exceptions::{PyConnectionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The socket to the host, which the process was started with as its standard input.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct WorkerLine(Arc<Line>);

#[pymethods]
impl WorkerLine {
    /// Takes the socket from where the standard input is, which is empty from then on. The process ends with the host.
    #[new]
    fn new(max_message: usize) -> PyResult<Self> {
        Ok(Self(Arc::new(Line::from_stdin(max_message)?)))
    }

    /// The descriptor that is readable when the host wants something.
    fn fileno(&self) -> RawFd {
        self.0.fd()
    }

    /// Waits for the host to say what the plugin is: the number to answer with, and JSON.
    fn hello<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let frame = py.detach(|| self.0.hello()).map_err(raised)?;
        Ok((frame.id, PyBytes::new(py, &frame.body)))
    }

    /// The plugin is loaded; `about` is JSON.
    fn ready(&self, id: u64, about: &[u8]) -> PyResult<()> {
        self.0.send(&Message::Ready(about), id).map_err(raised)
    }

    /// The plugin cannot be loaded, or a call failed; `error` is an error model as JSON. False if it is too large.
    fn fail(&self, py: Python<'_>, id: u64, error: &[u8]) -> PyResult<bool> {
        self.send(py, &Message::Failed(error), id)
    }

    /// A call that was given up has stopped.
    fn dropped(&self, id: u64) -> PyResult<()> {
        self.0.send(&Message::Dropped, id).map_err(raised)
    }

    /// The plugin returned; both are JSON, and `context` is None if it is as it was sent.
    ///
    /// False if it is too large to be sent.
    fn reply(&self, py: Python<'_>, id: u64, result: &[u8], context: Option<&[u8]>) -> PyResult<bool> {
        self.send(py, &Message::Reply { result, context }, id)
    }

    /// The calls that have come, the numbers of those that nobody waits for any more, and whether there are more to come.
    fn take(&self) -> PyResult<(Vec<WorkerCall>, Vec<u64>, bool)> {
        let (mut calls, mut given_up, mut goes_on) = (Vec::new(), Vec::new(), true);
        for received in self.0.receive().map_err(raised)? {
            match received {
                Received::Call(frame) => calls.push(WorkerCall(frame)),
                Received::Cancel(id) => given_up.push(id),
                Received::Finish => goes_on = false,
            }
        }
        Ok((calls, given_up, goes_on))
    }
}

impl WorkerLine {
    /// False if the message is too large.
    fn send(&self, py: Python<'_>, message: &Message<'_>, id: u64) -> PyResult<bool> {
        match py.detach(|| self.0.send(message, id)) {
            Ok(()) => Ok(true),
            Err(LineError::Frame(FrameError::TooLarge { .. })) => Ok(false),
            Err(error) => Err(raised(error)),
        }
    }
}

/// A hook that is to run.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct WorkerCall(Frame);

impl WorkerCall {
    fn call(&self) -> PyResult<cpex_isolated::worker::Call<'_>> {
        match Message::read(&self.0) {
            Ok(Message::Call(call)) => Ok(call),
            _ => Err(PyValueError::new_err("no call")),
        }
    }
}

#[pymethods]
impl WorkerCall {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    #[getter]
    fn hook(&self) -> PyResult<&str> {
        Ok(self.call()?.hook)
    }

    #[getter]
    fn payload(&self) -> PyResult<&str> {
        std::str::from_utf8(self.call()?.payload).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.call()?.context))
    }

    /// What the plugin may see of the request's extensions.
    #[getter]
    fn extensions<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.call()?.extensions.map(|extensions| PyBytes::new(py, extensions)))
    }

    /// Seconds until it is to be given up.
    #[getter]
    fn deadline(&self) -> PyResult<Option<f64>> {
        Ok(self.call()?.deadline.map(|deadline| deadline.as_secs_f64()))
    }
}

fn raised(error: LineError) -> PyErr {
    match error {
        LineError::Io(error) if error.kind() == io::ErrorKind::Interrupted => error.into(),
        error => PyConnectionError::new_err(error.to_string()),
    }
}
