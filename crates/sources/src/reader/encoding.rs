//! Logs in UTF-16: Windows PowerShell writes what an agent prints so when it is redirected to a file (`agent > log`).

/// The encoding of a file, by its byte order mark.
#[derive(Debug)]
pub(super) enum Encoding {
    /// Fewer than two bytes have come; this is the first.
    Unknown(Option<u8>),
    /// Also what is in no known encoding: each line is a problem of its own.
    Utf8,
    Utf16(Decoder),
}

/// Decodes UTF-16 in chunks of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    big_endian: bool,
    /// The first byte of a unit.
    byte: Option<u8>,
    /// The first unit of a surrogate pair.
    high: Option<u16>,
}

impl Encoding {
    /// Looks for a byte order mark. Returns the bytes before `chunk` that have not been read yet, and the bytes of `chunk`
    /// after the mark.
    pub(super) fn detect<'c>(&mut self, chunk: &'c [u8]) -> (Option<u8>, &'c [u8]) {
        let Encoding::Unknown(before) = *self else {
            return (None, chunk);
        };
        let mut bytes = before.into_iter().chain(chunk.iter().copied());
        let big_endian = match (bytes.next(), bytes.next()) {
            (None, _) => return (None, chunk),
            (Some(first @ (0xFE | 0xFF)), None) => {
                *self = Encoding::Unknown(Some(first));
                return (None, &[]);
            }
            (Some(0xFE), Some(0xFF)) => true,
            (Some(0xFF), Some(0xFE)) => false,
            _ => {
                *self = Encoding::Utf8;
                return (before, chunk);
            }
        };
        *self = Encoding::Utf16(Decoder {
            big_endian,
            byte: None,
            high: None,
        });
        (None, &chunk[2 - before.iter().count()..])
    }
}

impl Decoder {
    /// The text of the next bytes. Surrogates without the other half become U+FFFD.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> String {
        let mut units = Vec::with_capacity(bytes.len() / 2 + 2);
        units.extend(self.high.take());
        for &byte in bytes {
            match self.byte.take() {
                None => self.byte = Some(byte),
                Some(first) if self.big_endian => units.push(u16::from_be_bytes([first, byte])),
                Some(first) => units.push(u16::from_le_bytes([first, byte])),
            }
        }
        self.high = units.pop_if(|unit| (0xD800..0xDC00).contains(unit));
        String::from_utf16_lossy(&units)
    }

    /// True when the file ends in the middle of a character.
    pub(super) fn is_cut(&self) -> bool {
        self.byte.is_some() || self.high.is_some()
    }
}
