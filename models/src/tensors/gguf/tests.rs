//! A file made by hand in each way, and damaged in every place.

use super::*;
use rand::{Rng, SeedableRng};

/// A file with one fact of each kind and one tensor of `kind` with one row of blocks.
fn file(code: u32, row: u64, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(3u64.to_le_bytes());
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(&mut bytes, "whole");
    bytes.extend(4u32.to_le_bytes());
    bytes.extend(7u32.to_le_bytes());
    text(&mut bytes, "number");
    bytes.extend(6u32.to_le_bytes());
    bytes.extend(0.5f32.to_le_bytes());
    text(&mut bytes, "texts");
    bytes.extend(9u32.to_le_bytes());
    bytes.extend(8u32.to_le_bytes());
    bytes.extend(2u64.to_le_bytes());
    text(&mut bytes, "a");
    text(&mut bytes, "b");
    text(&mut bytes, "t");
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(row.to_le_bytes());
    bytes.extend(code.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

fn open(bytes: &[u8]) -> Result<Gguf> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    Gguf::open(&path)
}

fn values(code: u32, row: u64, data: &[u8]) -> Vec<f32> {
    let file = open(&file(code, row, data)).unwrap();
    Vec::try_from(file.tensor("t", &[-1]).unwrap()).unwrap()
}

/// 1.0 as a 16-bit float.
const ONE: [u8; 2] = [0, 0x3c];

#[test]
fn facts_are_read_by_kind() {
    let file = open(&file(0, 1, &1f32.to_le_bytes())).unwrap();
    assert_eq!(file.whole("whole").unwrap(), 7);
    assert_eq!(file.number("number").unwrap(), 0.5);
    assert_eq!(file.texts("texts").unwrap(), ["a", "b"]);
    assert!(
        file.text("whole")
            .unwrap_err()
            .to_string()
            .contains("`whole` is no text")
    );
    assert!(
        file.fact("none")
            .unwrap_err()
            .to_string()
            .contains("does not say `none`")
    );
}

#[test]
fn small_blocks_hold_scale_shift_and_halves_in_order() {
    let nibbles: Vec<u8> = (0..16).map(|i| i | ((15 - i) << 4)).collect();
    let q4_0 = values(2, 32, &[&ONE[..], &nibbles].concat());
    assert_eq!(
        (q4_0[0], q4_0[15], q4_0[16], q4_0[31]),
        (-8.0, 7.0, 7.0, -8.0)
    );
    let q4_1 = values(3, 32, &[&ONE[..], &ONE, &nibbles].concat());
    assert_eq!((q4_1[0], q4_1[15], q4_1[16]), (1.0, 16.0, 16.0));
    // the fifth bit of value 0 and of value 16
    let fifth = 0x0001_0001u32.to_le_bytes();
    let q5_0 = values(6, 32, &[&ONE[..], &fifth, &nibbles].concat());
    assert_eq!(
        (q5_0[0], q5_0[1], q5_0[16], q5_0[31]),
        (0.0, -15.0, 15.0, -16.0)
    );
    let q5_1 = values(7, 32, &[&ONE[..], &ONE, &fifth, &nibbles].concat());
    assert_eq!((q5_1[0], q5_1[1], q5_1[16]), (17.0, 2.0, 32.0));
    let q8_0 = values(8, 32, &[&ONE[..], &[0xff; 16], &[5; 16]].concat());
    assert_eq!((q8_0[0], q8_0[31]), (-1.0, 5.0));
    assert_eq!(values(1, 1, &ONE), [1.0]);
    assert_eq!(values(30, 1, &[0x80, 0x3f]), [1.0]);
}

#[test]
fn large_blocks_unpack_their_hidden_scales() {
    // eight scales 1, 2, 3, 4, 17, 18, 19, 20 and shifts of 1: the last four keep their upper bits in the first ones
    let scales = [65, 66, 67, 68, 1, 1, 1, 1, 0x11, 0x12, 0x13, 0x14];
    let q4 = values(12, 256, &[&ONE[..], &ONE, &scales, &[0x21; 128]].concat());
    let firsts: Vec<f32> = q4.iter().step_by(32).copied().collect();
    assert_eq!(firsts, [0.0, 3.0, 2.0, 7.0, 16.0, 35.0, 18.0, 39.0]);
    let q5 = values(
        13,
        256,
        &[&ONE[..], &ONE, &scales, &[0x01; 32], &[0x21; 128]].concat(),
    );
    assert_eq!((q5[0], q5[32], q5[64]), (16.0, 3.0, 2.0));
    let q6 = values(
        14,
        256,
        &[&[0x21; 128][..], &[0b1110_0100; 64], &[2; 16], &ONE].concat(),
    );
    let quarters: Vec<f32> = q6.iter().step_by(32).take(4).copied().collect();
    assert_eq!(
        quarters,
        [
            2.0 * (1.0 - 32.0),
            2.0 * (17.0 - 32.0),
            2.0 * (34.0 - 32.0),
            2.0 * (50.0 - 32.0)
        ]
    );
}

#[test]
fn a_file_that_promises_more_than_it_holds_is_refused() {
    let whole = file(0, 4, &[0; 16]);
    assert!(open(&whole).is_ok());
    let cut = open(&whole[..whole.len() - 1]).unwrap_err().to_string();
    assert!(cut.contains("`t` ends beyond the file"), "{cut}");
    let odd = open(&file(2, 31, &[0; 18])).unwrap_err().to_string();
    assert!(odd.contains("no whole blocks"), "{odd}");
    let unknown = open(&file(99, 1, &[])).unwrap_err().to_string();
    assert!(unknown.contains("way 99"), "{unknown}");
    assert!(
        open(b"GGML")
            .unwrap_err()
            .to_string()
            .contains("no GGUF file")
    );
}

#[test]
fn damaged_files_are_refused_or_read_and_never_panic() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let whole = file(12, 256, &[7; 144]);
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            let place = rng.random_range(0..bytes.len());
            bytes[place] = rng.random();
        }
        bytes.truncate(rng.random_range(0..=bytes.len()));
        if let Ok(contents) = Contents::read(&bytes) {
            for held in contents.tensors.values() {
                assert!(held.start + held.bytes <= bytes.len());
            }
        }
    }
}
