//! Options, words, tables and styles of a set, as read from their files; then every other kind of number of it.
//! The walk over folders calls [`check`] for each; what is no set is passed over.

use std::path::Path;

use tch::Tensor;

use super::facts::Fact;
use super::leftovers::Files;
use super::set::Set;
use super::{CLOSE, Group, Report, encoders, retrieval, stories, writing};
use crate::formats::{Value, read_npy};
use crate::reader::{Part, options};
use models::Result;

/// Checks the folder if it is a set.
pub(super) fn check(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    if !folder.join("golden.json").exists() {
        return;
    }
    let (mut opened, device) = (None, report.device);
    report.group(format!("{name} artefacts"), CLOSE, |group| {
        let set = opened.insert(Set::open(folder, device)?);
        artefacts(set, files, group)
    });
    let Some(set) = opened else { return };
    encoders::check(&set, name, report);
    retrieval::check(&set, name, report);
    writing::check(&set, name, report);
    stories::check(&set, name, report);
    stories::check_from_pictures(&set, name, files, report);
    files.facts(&folder.join("golden.json"), &set.facts);
    files.numbers(&folder.join("golden.npz"), &set.numbers);
}

/// Options, words, tables and styles, as read from their files.
fn artefacts(set: &Set, files: &mut Files, group: &mut Group) -> Result<()> {
    let (folder, facts) = (&set.folder, set.facts.root());
    let models = [
        ("uoptions", "uni_skip.npz"),
        ("boptions", "bi_skip.npz"),
        ("vse_options", "vse.npz"),
        ("dec_options", "romance.npz"),
    ];
    let meta = facts.get("meta")?;
    for (entry, model) in models {
        let read = options(&folder.join(format!("{model}.pkl")))?;
        for (key, wanted) in meta.get(entry)?.entries() {
            option(
                &format!("{model} option {key}"),
                read.get(key),
                &wanted,
                group,
            );
        }
    }
    // dimensions, versions and what the original printed or refused: for people
    for entry in ["meta", "load_all_stdout", "encode_errors", "float64_ctx"] {
        facts.find(entry).iter().for_each(Fact::seen);
    }
    for (id, word) in facts.get("word_idict_first")?.entries() {
        let (_, words) = set.decoder("romance")?;
        let id: i64 = id.parse().unwrap_or(-1);
        group.same(
            &format!("word {id} of the decoder"),
            words.word(id),
            word.text()?,
        );
    }
    let vectors = set.original.style_vectors()?;
    for (entry, style) in [("bpos", "romance"), ("bneg", "caption")] {
        let found = vectors.tensor(style, &[-1])?;
        group.close(entry, &found, &set.numbers.get(entry)?.view([-1]));
    }
    tables(folder, group)?;
    trained_words(set, group)?;
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let stem = name
            .trim_end_matches(".dictionary.pkl")
            .trim_end_matches(".pkl");
        if ARTEFACTS.contains(&name.as_str()) || stem.ends_with(".npz") && ARTEFACTS.contains(&stem)
        {
            files.read(file.path());
        }
    }
    Ok(())
}

/// An option as its pickle says it; one that is not there is told.
fn option(what: &str, found: Option<&Value>, wanted: &Fact, group: &mut Group) {
    let number = |value: &Value| match value {
        Value::Float(number) => Some(*number),
        other => other.as_int().map(|number| number as f64),
    };
    match (found, wanted.number(), wanted.text()) {
        // published files lack some, and the reader knows what that means
        (None, ..) => group.note(format!("{what} is not in the file: not compared")),
        (Some(found), Ok(wanted), _) => {
            group.near(what, number(found).unwrap_or(f64::NAN), wanted);
        }
        // paths of the author's machine are shortened in the golden files
        (Some(_), _, Ok(wanted)) if wanted.contains('/') => {}
        (Some(found), _, Ok(wanted)) => group.same(what, found.as_text(), Some(wanted)),
        (Some(found), ..) => group.same(what, found.as_int() == Some(1), wanted.holds()),
    }
}

/// The artefacts that a set is opened from; options and words lie beside them.
const ARTEFACTS: [&str; 14] = [
    "uni_skip.npz",
    "bi_skip.npz",
    "utable.npy",
    "btable.npy",
    "utable_object.npy",
    "btable_object.npy",
    "dictionary.txt",
    "vse.npz",
    "romance.npz",
    "romance_nodout.npz",
    "romance_dictionary.pkl",
    "caption_style.npy",
    "romance_style.npy",
    "coco_train_caps.txt",
];

/// Word tables with rows of mixed shape hold what the plain ones hold.
fn tables(folder: &Path, group: &mut Group) -> Result<()> {
    for name in ["utable", "btable"] {
        let file = folder.join(format!("{name}_object.npy"));
        if file.exists() {
            let table = |file: &Path| -> Result<Tensor> { Ok(read_npy(file)?.to_tensor()) };
            let plain = table(&folder.join(format!("{name}.npy")))?;
            group.close(&format!("{name}_object.npy"), &table(&file)?, &plain);
        }
    }
    Ok(())
}

/// Words that the encoders were trained on keep their vectors in the word tables.
fn trained_words(set: &Set, group: &mut Group) -> Result<()> {
    for (part, name) in [(Part::UniSkip, "utable"), (Part::BiSkip, "btable")] {
        let table = read_npy(&set.folder.join(format!("{name}.npy")))?.to_tensor();
        let trained = set
            .original
            .weights(part)?
            .tensor("Wemb", &[-1, table.size()[1]])?;
        for row in 0..trained.size()[0] {
            let gaps = (&table - trained.get(row))
                .abs()
                .amax([1i64].as_slice(), false);
            let nearest = gaps.min().double_value(&[]);
            group.holds(&format!("{name} lacks trained word {row}"), nearest <= 1e-6);
        }
    }
    Ok(())
}
