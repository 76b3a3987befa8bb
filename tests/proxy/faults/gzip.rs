//! A gzip bomb: a small body that decompresses to a large one.

/// The decompressed size in bytes, far over the limit of these tests.
const DECOMPRESSED: usize = 64 << 20;

/// Returns spaces in gzip (RFC 1952): 13 bits for each 258 of them (RFC 1951 § 3.2.6, fixed codes).
/// The checksum is left out: no reader reaches it.
pub(crate) fn bomb() -> Vec<u8> {
    let mut bits = Bits {
        bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
        used: 8,
    };
    // The only block, with fixed codes.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    // One space; the rest copies it.
    bits.push_code(0x30 + u32::from(b' '), 8);
    for _ in 0..DECOMPRESSED / 258 {
        // Length 258, distance 1.
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    bits.bytes
}

struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// Appends a number, lowest bit first.
    fn push(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            let set = (value >> bit & 1) as u8;
            *self.bytes.last_mut().unwrap() |= set << self.used;
            self.used += 1;
        }
    }

    /// Appends a code, highest bit first.
    fn push_code(&mut self, code: u32, count: u32) {
        self.push(code.reverse_bits() >> (32 - count), count);
    }
}
