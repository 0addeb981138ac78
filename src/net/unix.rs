//! HTTP over a socket of this machine, or through a program that leads to one elsewhere.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Weak};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport};

/// The way to the engine, whatever host is asked for.
#[derive(Debug)]
pub enum Way {
    /// A socket of this machine.
    Socket(PathBuf),
    /// A program that passes its standard input and output on, and its arguments. One is run for each connection.
    Program(Vec<String>),
}

impl Way {
    fn connect(&self) -> io::Result<(UnixStream, Option<Child>)> {
        match self {
            Way::Socket(path) => {
                let stream = UnixStream::connect(path).map_err(|e| {
                    let hint = match e.kind() {
                        io::ErrorKind::PermissionDenied => "may this user use the socket?",
                        _ => "does the engine run?",
                    };
                    io::Error::new(e.kind(), format!("{}: {e} ({hint})", path.display()))
                })?;
                Ok((stream, None))
            }
            Way::Program(words) => {
                let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
                let (ours, input) = UnixStream::pair()?;
                let output = OwnedFd::from(input.try_clone()?);
                let child = Command::new(program).args(arguments).stdin(OwnedFd::from(input)).stdout(output).spawn();
                let child = child.map_err(|e| io::Error::new(e.kind(), format!("{program} cannot be run: {e}")))?;
                Ok((ours, Some(child)))
            }
        }
    }
}

/// Names are not looked up.
#[derive(Debug)]
pub struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(([127, 0, 0, 1], 0).into());
        Ok(addresses)
    }
}

impl Connector<()> for Way {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, Error> {
        let (stream, child) = self.connect()?;
        let stream = Arc::new(Stream(stream));
        let weak: Weak<dyn ShutdownHandle> = Arc::<Stream>::downgrade(&stream);
        (details.register_shutdown)(weak)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Connection { stream, child, answered: false, buffers }))
    }
}

/// A stream that another thread can end.
struct Stream(UnixStream);

impl ShutdownHandle for Stream {
    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// See [`Way`].
pub struct Connection {
    stream: Arc<Stream>,
    child: Option<Child>,
    /// Something came.
    answered: bool,
    buffers: LazyBuffers,
}

impl Connection {
    /// A program that ends at once has said why on standard error; it is not run again, since it may have asked for a password.
    fn failed(&self, e: io::Error) -> io::Error {
        match self.child.is_some() && !self.answered {
            true => io::Error::other("the program that leads there ended without an answer"),
            false => e,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            self.stream.shutdown();
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        Ok((&self.stream.0).write_all(&self.buffers.output()[..amount]).map_err(|e| self.failed(e))?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.0.set_read_timeout(timeout.for_read().not_zero().map(|time| *time))?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match (&self.stream.0).read(input) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(Error::Timeout(timeout.for_read().reason)),
                Ok(0) if self.child.is_some() && !self.answered => break Err(io::ErrorKind::UnexpectedEof.into()),
                result => break result,
            }
        };
        let amount = amount.map_err(|e| self.failed(e))?;
        self.buffers.input_appended(amount);
        self.answered = true;
        Ok(amount > 0)
    }

    /// A connection is not used twice: what a daemon did with it meanwhile is not asked.
    fn is_open(&mut self) -> bool {
        false
    }
}
