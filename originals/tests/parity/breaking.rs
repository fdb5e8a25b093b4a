//! A golden number that is changed, added or cut fails its group, by name: the checks can fail.

use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::Value;

use super::sets::{copy, groups};

/// The names of the groups that fail.
fn failing(folder: &Path) -> Vec<String> {
    let found = groups(folder).into_iter();
    let failed = found.filter(|group| !group.passed());
    let inner = |name: String| name.split_once(' ').map(|(_, kind)| kind.to_owned());
    failed.filter_map(|group| inner(group.name)).collect()
}

/// Rewrites one member of an archive; `None` adds a copy of it under another name instead.
fn rewrite(file: &Path, member: &str, change: Option<fn(&mut [u8])>) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.push((entry.name().to_owned(), bytes));
    }
    let name = format!("{member}.npy");
    let place = members
        .iter()
        .position(|(known, _)| *known == name)
        .unwrap();
    match change {
        Some(change) => change(&mut members[place].1),
        None => members.push(("surprise.npy".to_owned(), members[place].1.clone())),
    }
    let mut writer = zip::ZipWriter::new(std::fs::File::create(file).unwrap());
    for (name, bytes) in members {
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// Adds 0.01 to the last number of an array of 32-bit floats.
fn nudge(bytes: &mut [u8]) {
    let start = bytes.len() - 4;
    let number = f32::from_le_bytes(bytes[start..].try_into().unwrap());
    bytes[start..].copy_from_slice(&(number + 0.01).to_le_bytes());
}

/// Folder, file, array, and the group that must notice.
const ARRAYS: [[&str; 4]; 16] = [
    ["s1", "golden.npz", "bpos", "artefacts"],
    ["s1", "golden.npz", "f_w2v2_out_hole", "raw encoder graphs"],
    ["s1", "golden.npz", "enc_norm1_eos0", "sentence encoders"],
    ["s1", "golden.npz", "cvec", "joint space"],
    ["s1", "golden.npz", "story0_scores", "retrieval order"],
    ["s1", "golden.npz", "story1_k10_bw50_shift", "style shift"],
    ["s1", "golden.npz", "romance_f_next1_probs", "decoder steps"],
    [
        "s1",
        "golden.npz",
        "romance_nodout_chain_states",
        "greedy chains",
    ],
    [
        "s1",
        "golden_e2e.npz",
        "land_rgb_png_k5_fc7",
        "stories from pictures",
    ],
    [
        "images",
        "golden_images.npz",
        "port_rgb_png__im_s7",
        "preprocessing",
    ],
    [
        "images",
        "golden_images.npz",
        "port_rgb_png__pool5",
        "image network",
    ],
    [
        "misc",
        "vocab_expansion_under.npz",
        "table",
        "vocab_expansion_under.json",
    ],
    [
        "train",
        "skip_1.npz",
        "p3__encoder_Ux",
        "skip-thoughts training: costs and parameters",
    ],
    [
        "train",
        "dec_1_1.npz",
        "v1__decoder_W",
        "decoder training: costs and parameters",
    ],
    [
        "train",
        "vse_gru_1.npz",
        "grad0__Wemb",
        "joint space training: gradients",
    ],
    // a gradient that cancels is rounding, but farther than Adam's steps reach its array may not lie
    [
        "train",
        "vse_gru_1.npz",
        "p1__ff_image_b",
        "joint space training: costs and parameters",
    ],
];

#[test]
fn an_array_that_is_changed_fails_its_group() {
    for [part, file, member, group] in ARRAYS {
        let folder = copy(part);
        rewrite(&folder.path().join(file), member, Some(nudge));
        let found = failing(folder.path());
        assert!(
            found.contains(&group.to_owned()),
            "{file} {member}: {found:?}"
        );
    }
}

/// Changes a JSON file.
fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

/// Folder, file, entry, and the group that must notice.
const ENTRIES: [[&str; 4]; 8] = [
    [
        "s1",
        "golden.json",
        "/meta/dec_options/dim_word",
        "artefacts",
    ],
    ["s1", "golden.json", "/beam/3/scores/0", "beam search"],
    [
        "s1",
        "golden.json",
        "/beam/3/first_samples/0/0",
        "beam search",
    ],
    ["s1", "golden.json", "/run_sampler/0/text", "sampler texts"],
    ["s1", "golden.json", "/stories/2/passage", "stories"],
    [
        "s1",
        "golden.json",
        "/encode_preprocessed/0",
        "texts to encode",
    ],
    [
        "misc",
        "build_dictionary.json",
        "/cases/0/counts/0",
        "build_dictionary.json",
    ],
    [
        "misc",
        "preprocess_nltk_3.1.json",
        "/cases/0/tokens/0",
        "preprocess_nltk_3.1.json",
    ],
];

#[test]
fn a_text_or_value_that_is_changed_fails_its_group() {
    for [part, file, place, group] in ENTRIES {
        let folder = copy(part);
        edit(folder.path(), file, |json| {
            let value = json.pointer_mut(place).unwrap();
            *value = match value.as_f64() {
                Some(number) => (number as i64 + 1).into(),
                None => "no".into(),
            };
        });
        let found = failing(folder.path());
        assert!(
            found.contains(&group.to_owned()),
            "{file} {place}: {found:?}"
        );
    }
}

#[test]
fn what_nobody_compares_is_told_as_not_covered() {
    let folder = copy("s1");
    edit(folder.path(), "golden.json", |json| {
        json["surprise"] = 1.into();
    });
    rewrite(&folder.path().join("golden.npz"), "bpos", None);
    std::fs::write(folder.path().join("surprise.npy"), b"x").unwrap();
    let found = groups(folder.path());
    let last = found.last().unwrap();
    assert!(last.name.ends_with("all entries covered") && !last.passed());
    let told = last.problems.join("\n");
    for what in ["entry surprise", "array surprise", "file "] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert_eq!(last.failures, 3, "{told}");
}

#[test]
fn an_entry_of_a_training_run_that_nobody_compares_is_told_too() {
    let folder = copy("train");
    edit(folder.path(), "index_vse.json", |json| {
        let runs = json["cases"].as_array_mut().unwrap();
        for run in runs {
            run["surprise"] = 1.into();
        }
    });
    let found = groups(folder.path());
    let last = found.last().unwrap();
    assert_eq!(last.failures, 1, "{:?}", last.problems);
    assert!(
        last.problems[0].contains("cases[].surprise"),
        "{:?}",
        last.problems
    );
}

#[test]
fn an_option_that_is_missing_in_its_file_is_told() {
    let folder = copy("s1");
    edit(folder.path(), "golden.json", |json| {
        json["meta"]["vse_options"]["surprise"] = 1.into();
    });
    let notes = groups(folder.path())[0].notes.join("\n");
    assert!(notes.contains("vse.npz option surprise"), "{notes}");
}

#[test]
fn a_folder_without_sets_and_a_cut_off_set_are_told_apart() {
    let empty = tempfile::tempdir().unwrap();
    let error = originals::parity::check(empty.path(), tch::Device::Cpu, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("holds no golden set"), "{error}");
    let folder = copy("s1");
    let file = folder.path().join("golden.npz");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let found = groups(folder.path());
    assert!(
        found[0].problems[0].contains("golden.npz"),
        "{:?}",
        found[0]
    );
}
