//! Files as the original's Python wrote them: cut-off ones are refused with their name.

use super::sets::tiny;
use originals::formats::{read_npy, read_pickle};

#[test]
fn a_cut_off_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["utable.npy", "romance.npz", "vse.npz.dictionary.pkl"] {
        let bytes = std::fs::read(tiny().join("s1").join(name)).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let reason = match name.rsplit('.').next() {
            Some("npy") => read_npy(&path).unwrap_err().to_string(),
            Some("npz") => originals::formats::read_weights(&path)
                .unwrap_err()
                .to_string(),
            _ => format!(
                "{name}: {}",
                read_pickle(&std::fs::read(&path).unwrap()).unwrap_err()
            ),
        };
        assert!(reason.contains(name), "{reason}");
    }
}
