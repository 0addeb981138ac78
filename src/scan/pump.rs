//! A stream that can be given up while it waits for its source.

use super::unpack::Stop;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes in flight: two buffers of this size.
const BUFFER: usize = 256 << 10;
/// How long a stopped scan may wait for its source.
const TICK: Duration = Duration::from_millis(100);

/// The reading end. A thread of its own reads ahead; it ends with the source, or with the first buffer that nobody takes.
pub struct Pump {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    buffer: Vec<u8>,
    at: usize,
    stop: Arc<AtomicUsize>,
}

impl Pump {
    /// Reads `source` until its end, or until `stop` is not 0.
    pub fn new(mut source: Box<dyn Read + Send>, stop: Arc<AtomicUsize>) -> Pump {
        let (filled, full) = bounded::<io::Result<Vec<u8>>>(1);
        let (empty, emptied) = bounded::<Vec<u8>>(4);
        std::thread::spawn(move || {
            loop {
                let mut buffer = emptied.try_recv().unwrap_or_default();
                buffer.clear();
                let read = source.by_ref().take(BUFFER as u64).read_to_end(&mut buffer);
                let ended = !matches!(read, Ok(n) if n > 0);
                let sent = match read {
                    // What came before an error is worth reading.
                    Err(e) if !buffer.is_empty() => filled.send(Ok(buffer)).is_ok() && filled.send(Err(e)).is_ok(),
                    read => filled.send(read.map(|_| buffer)).is_ok(),
                };
                if ended || !sent {
                    break;
                }
            }
        });
        Pump { full, empty, buffer: Vec::new(), at: 0, stop }
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
