//! Memory that files are read into.

use super::{LINE_BYTES, LogReader};

/// Bytes of one read: few lines are cut in two, and what was read is still in the processor's cache when it is parsed.
const READ_BYTES: usize = 256 * 1024;

/// Memory to read files into, one file after the other. Readers get whole lines from it: a line that a read cuts in two
/// stays in its place until the rest of it is there, instead of being copied.
///
/// For every file: [`Buffer::clear`]; for every read [`Buffer::space`] and [`Buffer::feed`]; at the end
/// [`Buffer::finish`].
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// The length of the beginning of a line.
    used: usize,
}

impl Buffer {
    /// Forgets what is left of another file.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Where the next bytes of the file go.
    pub fn space(&mut self) -> &mut [u8] {
        let end = self.used + READ_BYTES;
        if self.bytes.len() < end {
            self.bytes.resize(end.next_power_of_two(), 0);
        }
        &mut self.bytes[self.used..end]
    }

    /// Feeds a reader the whole lines, once `count` bytes were read into the space.
    pub fn feed(&mut self, count: usize, reader: &mut LogReader) {
        let start = self.used;
        self.used += count;
        let fed = match memchr::memrchr(b'\n', &self.bytes[start..self.used]) {
            Some(end) => start + end + 1,
            // The reader drops it.
            None if self.used > LINE_BYTES => self.used,
            None => return,
        };
        reader.feed(&self.bytes[..fed]);
        self.bytes.copy_within(fed..self.used, 0);
        self.used -= fed;
    }

    /// Feeds a reader the last line of the file, where it has no line end.
    pub fn finish(&mut self, reader: &mut LogReader) {
        reader.feed(&self.bytes[..self.used]);
        self.used = 0;
    }
}
