//! What is about to be written.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Data up to this size is copied behind what is there already: one buffer is cheaper to write than three.
const COPY_BYTES: usize = 4096;
/// Beyond this the buffer is not kept for the next message.
const KEEP_BYTES: usize = 16 * 1024;

/// Bytes on their way out: a buffer, then a large piece of a body that is not copied, then what closes that piece.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are written.
    written: usize,
    data: Bytes,
    /// The line break after a chunk, while it is due.
    after: &'static [u8],
    /// Something was written of the message that is going out.
    touched: bool,
}

impl Output {
    /// The buffer, to append to. Only while there is room.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.has_room(), "bytes would overtake data");
        &mut self.buffer
    }

    /// Appends `data` and what closes it.
    pub(crate) fn push(&mut self, data: Bytes, after: &'static [u8]) {
        debug_assert!(self.has_room(), "data would be lost");
        if data.len() <= COPY_BYTES {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(after);
        } else {
            self.data = data;
            self.after = after;
        }
    }

    /// Whether something may be appended before anything is written.
    pub(crate) fn has_room(&self) -> bool {
        self.data.is_empty() && self.after.is_empty() && self.buffer.len() < KEEP_BYTES
    }

    /// Whether everything is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.buffer.len() && self.data.is_empty() && self.after.is_empty()
    }

    /// A message begins.
    pub(crate) fn begin(&mut self) {
        self.touched = false;
    }

    /// Whether nothing was written since the message began.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// What is to be written, in order. Some parts may be empty.
    pub(crate) fn parts(&self) -> [IoSlice<'_>; 3] {
        let buffer = self.buffer.get(self.written..).unwrap_or_default();
        [IoSlice::new(buffer), IoSlice::new(&self.data), IoSlice::new(self.after)]
    }

    /// The first `count` bytes are written.
    pub(crate) fn advance(&mut self, count: usize) {
        self.touched = true;
        let of_buffer = count.min(self.buffer.len() - self.written);
        self.written += of_buffer;
        let of_data = (count - of_buffer).min(self.data.len());
        self.data.advance(of_data);
        let of_after = count - of_buffer - of_data;
        self.after = self.after.get(of_after..).unwrap_or_default();
        if self.written == self.buffer.len() {
            self.written = 0;
            self.buffer.clear();
            self.buffer.shrink_to(KEEP_BYTES);
        }
        if self.data.is_empty() {
            self.data = Bytes::new(); // An empty rest would keep its memory.
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Output;

    #[test]
    fn everything_is_written_once_and_in_order() {
        for step in [1, 2, 3, 1000, 5000, 100_000] {
            let mut output = Output::default();
            output.buffer().extend_from_slice(b"head");
            output.push(Bytes::from_static(b"small"), b"\r\n");
            output.push(Bytes::from(vec![b'x'; 10_000]), b"\r\n");
            assert!(!output.has_room());
            let mut written = Vec::new();
            while !output.is_empty() {
                let all: Vec<u8> =
                    output.parts().iter().flat_map(|part| part.iter().copied()).collect();
                let count = step.min(all.len());
                written.extend_from_slice(all.get(..count).unwrap());
                output.advance(count);
            }
            assert!(output.has_room());
            let expected = [&b"headsmall\r\n"[..], &[b'x'; 10_000], b"\r\n"].concat();
            assert_eq!(written, expected);
        }
    }
}
