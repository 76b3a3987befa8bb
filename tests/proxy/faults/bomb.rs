//! A small body that unpacks to a large one.

/// How much it unpacks to, in bytes: far more than the limit of these tests.
const UNPACKED: usize = 64 << 20;

/// Spaces in gzip (RFC 1952), 258 at a time by 13 bits (RFC 1951 § 3.2.6, fixed codes); the checksum is
/// left out, as no reader gets that far.
pub(crate) fn bomb() -> Vec<u8> {
    let mut bits = Bits {
        bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
        used: 8,
    };
    // The last block, of fixed codes.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    // A space, of which all else is copies.
    bits.push_code(0x30 + u32::from(b' '), 8);
    for _ in 0..UNPACKED / 258 {
        // The length 258, and the distance 1.
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
    /// Numbers go from their lowest bit on.
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

    /// Codes go from their highest bit on.
    fn push_code(&mut self, code: u32, count: u32) {
        self.push(code.reverse_bits() >> (32 - count), count);
    }
}
