//! The ways in which GGUF files write numbers: blocks of small integers with a scale, and plain floats.
//!
//! `d` scales and `m` shifts: a value is d·q, d·q + m or d·(q − z), as ggml's reference says for each kind. Everything is
//! unpacked to 32-bit floats once, when a model is opened.

use half::{bf16, f16};

/// How the numbers of a tensor are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit floats with the exponent of 32-bit ones.
    Bf16,
    /// 32 values of 4 bits around 8, one scale.
    Q4_0,
    /// 32 values of 4 bits, scale and shift.
    Q4_1,
    /// 32 values of 5 bits around 16, one scale.
    Q5_0,
    /// 32 values of 5 bits, scale and shift.
    Q5_1,
    /// 32 values of 8 bits, one scale.
    Q8_0,
    /// 256 values of 4 bits, eight scales and shifts of 6 bits.
    Q4K,
    /// 256 values of 5 bits, eight scales and shifts of 6 bits.
    Q5K,
    /// 256 values of 6 bits, sixteen scales of 8 bits.
    Q6K,
}

impl BlockKind {
    /// From the number that a file uses.
    pub(super) fn from_code(code: u32) -> Result<Self, String> {
        Ok(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            other => {
                return Err(format!(
                    "it is quantised in ggml's way {other}; read are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K"
                ));
            }
        })
    }

    /// Values in a block.
    pub(super) fn values(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// All values of whole blocks.
    pub(super) fn unpack(self, bytes: &[u8]) -> Vec<f32> {
        let count = bytes.len() / self.bytes() * self.values();
        let mut out = Vec::with_capacity(count);
        for block in bytes.chunks_exact(self.bytes()) {
            self.unpack_block(block, &mut out);
        }
        out
    }

    fn unpack_block(self, block: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F32 => out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
            Self::F16 => out.push(float(block, 0)),
            Self::Bf16 => out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
            Self::Q4_0 => four_bits(&block[2..], float(block, 0), -8.0 * float(block, 0), out),
            Self::Q4_1 => four_bits(&block[4..], float(block, 0), float(block, 2), out),
            Self::Q5_0 => five_bits(&block[2..], float(block, 0), -16.0 * float(block, 0), out),
            Self::Q5_1 => five_bits(&block[4..], float(block, 0), float(block, 2), out),
            Self::Q8_0 => {
                let d = float(block, 0);
                out.extend(block[2..].iter().map(|&q| d * f32::from(q as i8)));
            }
            Self::Q4K => q4_k(block, out),
            Self::Q5K => q5_k(block, out),
            Self::Q6K => q6_k(block, out),
        }
    }
}

fn float(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// 16 bytes: their low halves are the first 16 values, their high halves the rest.
fn four_bits(bytes: &[u8], d: f32, m: f32, out: &mut Vec<f32>) {
    out.extend(bytes.iter().map(|q| d * f32::from(q & 15) + m));
    out.extend(bytes.iter().map(|q| d * f32::from(q >> 4) + m));
}

/// 4 bytes of fifth bits, then 16 bytes as in [`four_bits`].
fn five_bits(bytes: &[u8], d: f32, m: f32, out: &mut Vec<f32>) {
    let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let fifth = |bit: usize| ((high >> bit) & 1) as u8 * 16;
    let low = bytes[4..].iter().enumerate();
    out.extend(
        low.clone()
            .map(|(i, q)| d * f32::from((q & 15) + fifth(i)) + m),
    );
    out.extend(low.map(|(i, q)| d * f32::from((q >> 4) + fifth(i + 16)) + m));
}

/// Scale and shift number `i` of eight, packed into 12 bytes of 6-bit values: the first four stand alone, the upper bits
/// of the last four hide in the first ones.
fn scale_and_shift(packed: &[u8], i: usize) -> (f32, f32) {
    let (scale, shift) = if i < 4 {
        (packed[i] & 63, packed[i + 4] & 63)
    } else {
        let (low, above) = (packed[i + 4], |at: usize| (packed[at] >> 6) << 4);
        ((low & 15) | above(i - 4), (low >> 4) | above(i))
    };
    (f32::from(scale), f32::from(shift))
}

fn q4_k(block: &[u8], out: &mut Vec<f32>) {
    let (d, m) = (float(block, 0), float(block, 2));
    for (pair, bytes) in block[16..].chunks_exact(32).enumerate() {
        for half in 0..2 {
            let (scale, shift) = scale_and_shift(&block[4..16], 2 * pair + half);
            let (scale, shift) = (d * scale, m * shift);
            out.extend(
                bytes
                    .iter()
                    .map(|q| scale * f32::from((q >> (4 * half)) & 15) - shift),
            );
        }
    }
}

fn q5_k(block: &[u8], out: &mut Vec<f32>) {
    let (d, m) = (float(block, 0), float(block, 2));
    let fifth = &block[16..48];
    for (pair, bytes) in block[48..].chunks_exact(32).enumerate() {
        for half in 0..2 {
            let (scale, shift) = scale_and_shift(&block[4..16], 2 * pair + half);
            let (scale, shift) = (d * scale, m * shift);
            let bit = |i: usize| ((fifth[i] >> (2 * pair + half)) & 1) * 16;
            let values = bytes.iter().enumerate();
            out.extend(
                values.map(|(i, q)| scale * f32::from(((q >> (4 * half)) & 15) + bit(i)) - shift),
            );
        }
    }
}

fn q6_k(block: &[u8], out: &mut Vec<f32>) {
    let d = float(block, 208);
    for half in 0..2 {
        let low = &block[64 * half..64 * half + 64];
        let high = &block[128 + 32 * half..128 + 32 * half + 32];
        let scales = &block[192 + 8 * half..192 + 8 * half + 8];
        for quarter in 0..4 {
            for i in 0..32 {
                let nibble = (low[32 * (quarter % 2) + i] >> (4 * (quarter / 2))) & 15;
                let q = nibble | (((high[i] >> (2 * quarter)) & 3) << 4);
                let scale = f32::from(scales[2 * quarter + i / 16] as i8);
                out.push(d * scale * (f32::from(q) - 32.0));
            }
        }
    }
}
