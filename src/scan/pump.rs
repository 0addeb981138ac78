//! A stream that is read ahead on a thread of its own, and can be given up while it waits for its source.

use super::unpack::Stop;
use crate::buffer::Buffer;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::Duration;

/// Bytes in flight: a few buffers of this size.
const BUFFER: usize = 256 << 10;
/// How long a stopped scan may wait for its source.
const TICK: Duration = Duration::from_millis(100);

/// The reading end. A thread of its own reads ahead; it ends with the source, or with the first buffer that nobody takes.
pub struct Pump {
    full: Receiver<io::Result<Buffer>>,
    empty: Sender<Buffer>,
    buffer: Buffer,
    at: usize,
    stop: Arc<AtomicUsize>,
}

impl Pump {
    /// Reads `source` until its end, or until `stop` is not 0. Its thread may wait for the source for ever: nobody waits for it.
    pub fn detached(source: Box<dyn Read + Send>, stop: Arc<AtomicUsize>) -> Pump {
        let (pump, run) = Pump::new(source, stop);
        std::thread::spawn(run);
        pump
    }

    /// The same of a source that ends by itself, within a scope.
    pub fn within<'scope>(scope: &'scope Scope<'scope, '_>, source: Box<dyn Read + Send + 'scope>, stop: Arc<AtomicUsize>) -> Pump {
        let (pump, run) = Pump::new(source, stop);
        scope.spawn(run);
        pump
    }

    fn new<'a>(mut source: Box<dyn Read + Send + 'a>, stop: Arc<AtomicUsize>) -> (Pump, impl FnOnce() + Send + 'a) {
        let (filled, full) = bounded::<io::Result<Buffer>>(1);
        let (empty, emptied) = bounded::<Buffer>(4);
        let run = move || {
            loop {
                let mut buffer = emptied.try_recv().unwrap_or_default();
                buffer.truncate(0);
                // Whatever one read gives goes on at once: the next may have to wait.
                let read = buffer.read(&mut source, BUFFER);
                let ended = !matches!(read, Ok(n) if n > 0);
                if filled.send(read.map(|_| buffer)).is_err() || ended {
                    break;
                }
            }
        };
        (Pump { full, empty, buffer: Buffer::default(), at: 0, stop }, run)
    }
}

impl Read for Pump {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            if self.stop.load(Ordering::Relaxed) != 0 {
                return Err(Stop::Interrupted.into());
            }
            match self.full.recv_timeout(TICK) {
                Ok(Ok(next)) if next.is_empty() => return Ok(0),
                Ok(Ok(next)) => {
                    let _ = self.empty.try_send(std::mem::replace(&mut self.buffer, next));
                    self.at = 0;
                }
                Ok(Err(e)) => return Err(e),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let n = buf.len().min(self.buffer.len() - self.at);
        buf[..n].copy_from_slice(&self.buffer[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}
