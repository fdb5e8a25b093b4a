//! Damaged files: whatever bits flip, every reader answers with a value or an error, in little time and memory.
//! The seed is fixed; a failing case names its number.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use originals::formats::{Table, read_caffemodel, read_npy, read_npz, read_pickle, read_pth};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Damaged files for each reader; `STORYTELLER_FUZZ_CASES` asks for more.
const CASES: usize = 2_700;
/// What the process may have used at most; an unbounded allocation would be far above.
const MOST_MEMORY_KB: u64 = 1_500_000;

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden");
    std::fs::read(folder.join(name)).unwrap()
}

/// A layer of two arrays, old and new form, numbers packed and one by one.
fn caffemodel() -> Vec<u8> {
    let field = |number: u64, bytes: &[u8]| {
        let mut out = vec![];
        for mut value in [number << 3 | 2, bytes.len() as u64] {
            while value > 127 {
                out.push(value as u8 | 128);
                value >>= 7;
            }
            out.push(value as u8);
        }
        [out.as_slice(), bytes].concat()
    };
    let packed: Vec<u8> = (0..6u8).flat_map(|n| f32::from(n).to_le_bytes()).collect();
    let old = [&[8, 1, 16, 1, 24, 2, 32, 3][..], &field(5, &packed)].concat();
    let new = [
        field(7, &field(1, &[2])),
        vec![0x2d, 0, 0, 128, 63, 0x2d, 0, 0, 0, 64],
    ]
    .concat();
    let layer =
        |name, blobs| [field(name, b"fc6"), field(blobs, &old), field(blobs, &new)].concat();
    [
        field(1, b"net"),
        field(2, &layer(4, 6)),
        field(100, &layer(1, 7)),
    ]
    .concat()
}

/// The magic number, protocol and system of PyTorch's old format, and a dictionary with one tensor.
fn pth() -> Vec<u8> {
    let mut bytes =
        b"\x80\x02K\x01.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}X\x01\x00\x00\x00ac".to_vec();
    bytes.extend(
        b"torch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n",
    );
    bytes.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02NtQK\x00K\x02\x85K\x01\x85\x89}tRs.");
    bytes.extend(b"\x80\x02]X\x01\x00\x00\x000a.");
    bytes.extend(2u64.to_le_bytes());
    bytes.extend([0, 0, 128, 63, 0, 0, 0, 64]);
    bytes
}

fn mangle(bytes: &[u8], dice: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..dice.random_range(1..4) {
        // the heads of files are where meaning is dense
        let most = if dice.random() {
            bytes.len()
        } else {
            bytes.len().min(400)
        };
        let place = dice.random_range(0..most.max(1));
        match dice.random_range(0..5) {
            _ if bytes.is_empty() => bytes.push(dice.random()),
            0 => bytes[place] ^= 1 << dice.random_range(0..8),
            1 => bytes[place] = dice.random(),
            2 => bytes.truncate(place),
            3 => bytes.insert(place, dice.random()),
            _ => drop(bytes.drain(place..(place + 9).min(bytes.len()))),
        }
    }
    bytes
}

type Reader = fn(&Path) -> bool;

fn readers() -> Vec<(&'static str, Vec<u8>, Reader)> {
    let pickle: Reader = |path| read_pickle(&std::fs::read(path).unwrap()).is_ok();
    let table: Reader =
        |path| Table::open(path, &mut |_, _| {}).is_ok_and(|t| t.to_tensor().is_ok());
    vec![
        ("options", golden("tiny/s0/romance.npz.pkl"), pickle),
        (
            "dictionary",
            golden("tiny/s0/romance_dictionary.pkl"),
            pickle,
        ),
        ("npy", golden("tiny/s0/caption_style.npy"), |path| {
            read_npy(path).is_ok()
        }),
        ("object npy", golden("tiny/s0/utable_object.npy"), |path| {
            read_npy(path).is_ok()
        }),
        ("table", golden("tiny/s0/utable.npy"), table),
        ("object table", golden("tiny/s0/btable_object.npy"), table),
        ("npz", golden("tiny/s0/vse.npz"), |path| {
            read_npz(path).is_ok()
        }),
        ("caffemodel", caffemodel(), |path| {
            read_caffemodel(path).is_ok()
        }),
        ("pth", pth(), |path| read_pth(path).is_ok()),
    ]
}

#[test]
fn no_damage_makes_a_reader_panic_or_ask_for_much_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("damaged");
    let cases = std::env::var("STORYTELLER_FUZZ_CASES").map_or(CASES, |text| text.parse().unwrap());
    let mut dice = ChaCha8Rng::seed_from_u64(2015);
    for (name, whole, read) in readers() {
        std::fs::write(&file, &whole).unwrap();
        assert!(read(&file), "{name}: the undamaged file is not read");
        let mut values = 0;
        for case in 0..cases {
            std::fs::write(&file, mangle(&whole, &mut dice)).unwrap();
            let outcome = std::panic::catch_unwind(|| read(&file));
            values +=
                usize::from(outcome.unwrap_or_else(|_| panic!("{name}: case {case} panicked")));
        }
        assert!(values < cases, "{name}: no damage was ever noticed");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST_MEMORY_KB, "{peak} kB were used");
}
