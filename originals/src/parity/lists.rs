//! Lists of cases that need no networks: tokens, dictionaries, vocabulary expansion, printed stories; and the image
//! network of the starter bundle.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use super::facts::{Fact, Facts, Numbers};
use super::leftovers::Files;
use super::stories::printed;
use super::{CLOSE, Group, Report};
use crate::formats::read_pth;
use crate::reader::{dictionary, pickle};
use models::networks::efficientnet::EfficientNet;
use models::text::tokenize;
use models::{Error, Result};
use training::corpus::original_dictionary;
use training::expansion::regress;

/// Regression in float64 here against float32 there.
const REGRESSION: f64 = 1e-4;

/// Checks what is in the folder.
pub(super) fn check(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let device = report.device;
    for file in names {
        let path = folder.join(&file);
        let mut facts = |work: fn(&Path, &Facts, &mut Group) -> Result<()>, tolerance: f64| {
            report.group(format!("{name} {file}"), tolerance, |group| {
                let facts = Facts::open(&path)?;
                facts.root().find("note").iter().for_each(Fact::seen);
                work(&path, &facts, group)?;
                files.facts(&path, &facts);
                Ok(())
            });
        };
        if !file.ends_with(".json") {
            if file.starts_with("efficientnet_lite") {
                report.group(format!("{name} {file}"), CLOSE, |group| {
                    files.read(path.clone());
                    efficientnet(&path, device, group)
                });
            } else if file.starts_with("dictionary_") {
                report.group(format!("{name} {file}"), 0.0, |group| {
                    files.read(path.clone());
                    two_pickles(&path, group)
                });
            }
        } else if file.starts_with("preprocess_") {
            facts(tokens, 0.0);
        } else if file.starts_with("encode_") {
            facts(encoded_texts, 0.0);
        } else if file.starts_with("build_dictionary") {
            facts(dictionaries, 0.0);
        } else if file.starts_with("story_stdout") {
            facts(stories, 0.0);
        } else if file.starts_with("vocab_expansion") {
            facts(expansion, REGRESSION);
            files.read(path.with_extension("npz"));
        }
    }
}

fn tokens(_: &Path, facts: &Facts, group: &mut Group) -> Result<()> {
    for about in ["nltk", "punkt"] {
        facts.root().find(about).iter().for_each(Fact::seen);
    }
    for case in facts.root().get("cases")?.each()? {
        let text = case.get("in")?.text()?;
        let kind = case.get("kind")?.text()?;
        let found = match kind {
            "bytes" => tokenize::preprocess_bytes(text),
            _ => tokenize::preprocess(text),
        };
        if kind == "bytes"
            && let Some(error) = case.find("error")
        {
            // bytes that are no ASCII where Punkt needs text: we read them as the same text in Unicode
            error.seen();
            group.same(text, found, tokenize::preprocess(text));
            continue;
        }
        group.same(
            text,
            tokenize::sentences(text),
            case.get("sentences")?.texts()?,
        );
        let printed: String = found.iter().map(|token| format!(" {token}")).collect();
        group.same(text, found, case.get("tokens")?.texts()?);
        group.same(text, printed.trim(), case.get("out")?.text()?.trim());
    }
    Ok(())
}

fn encoded_texts(_: &Path, facts: &Facts, group: &mut Group) -> Result<()> {
    let given = facts.root().get("encode_sentences_in")?.texts()?;
    let wanted = facts.root().get("encode_preprocessed")?.texts()?;
    for (text, wanted) in given.iter().zip(&wanted) {
        group.same(
            text,
            tokenize::preprocess(text).join(" "),
            wanted.trim().to_owned(),
        );
    }
    Ok(())
}

fn dictionaries(_: &Path, facts: &Facts, group: &mut Group) -> Result<()> {
    for case in facts.root().get("cases")?.each()? {
        let name = case.get("name")?.text()?;
        let texts = case.get("text")?.texts()?;
        let built = original_dictionary(texts.iter().map(String::as_str));
        let first: Vec<String> = built
            .first_seen
            .iter()
            .map(|(word, _)| word.clone())
            .collect();
        let counts = built.first_seen.iter().map(|&(_, count)| count as i64);
        let mut counts: Vec<i64> = counts.collect();
        counts.sort_unstable_by_key(|&count| std::cmp::Reverse(count));
        group.same(
            &format!("{name}: words as met"),
            first,
            case.get("counter_order")?.texts()?,
        );
        group.same(
            &format!("{name}: counts"),
            counts,
            case.get("counts")?.wholes()?,
        );
        let ids: Vec<i64> = (2..2 + built.words.len() as i64).collect();
        group.same(
            &format!("{name}: numbers"),
            ids,
            case.get("indices")?.wholes()?,
        );
        let wanted = case.get("words_in_index_order")?.texts()?;
        group.same(&format!("{name}: words by number"), built.words, wanted);
    }
    Ok(())
}

/// A dictionary file that a second pickle follows yields the first one.
fn two_pickles(file: &Path, group: &mut Group) -> Result<()> {
    let (_, length) = pickle(file)?;
    let size = std::fs::metadata(file)
        .map_err(|e| Error::file("read", file, e))?
        .len();
    group.holds(
        "a second pickle is expected after the first",
        (length as u64) < size,
    );
    let words = dictionary::read(file)?;
    group.holds("it holds words", !words.is_empty());
    Ok(())
}

/// What the original printed before it failed on an empty line, we print too, and go on.
fn stories(_: &Path, facts: &Facts, group: &mut Group) -> Result<()> {
    for case in facts.root().get("cases")?.each()? {
        let (passage, wanted) = (case.get("passage")?.text()?, case.get("stdout")?.text()?);
        let k = case.get("k")?.whole()?;
        let head: Vec<&str> = wanted.lines().skip(1).take(k.min(5)).collect();
        let found = printed(&head, passage, case.get("lyric")?.holds());
        match case.find("error") {
            Some(error) => {
                error.seen();
                group.holds(&format!("{passage:?} as lyrics"), found.starts_with(wanted));
            }
            None => group.same(passage, found.as_str(), wanted),
        }
    }
    Ok(())
}

fn expansion(path: &Path, facts: &Facts, group: &mut Group) -> Result<()> {
    let numbers = Numbers::open(&path.with_extension("npz"), Device::Cpu)?;
    let facts = facts.root();
    let known = facts.get("dictionary_words")?.texts()?;
    let other = facts.get("w2v_words_sorted")?.texts()?;
    let own = numbers.get("Wemb")?;
    group.same(
        "n_words",
        facts.get("n_words")?.whole()? as i64,
        own.size()[0],
    );
    group.same(
        "dim_word",
        facts.get("dim_word")?.whole()? as i64,
        own.size()[1],
    );
    // rows of mixed shape, versions: for people
    for about in [
        "row_shape_of_a_dictionary_word",
        "row_shape_of_an_expanded_word",
        "sklearn",
    ] {
        facts.find(about).iter().for_each(Fact::seen);
    }
    let vectors = numbers.get("w2v")?;
    let places: HashMap<&str, i64> = known.iter().map(String::as_str).zip(2..).collect();
    let (mapped, fitted) = mapped((&vectors, &other), (&own, &places))?;
    // the encoder's own words keep their rows, phrases are left out
    let mut rows: Vec<(&str, Tensor)> = vec![("<eos>", own.get(0)), ("UNK", own.get(1))];
    rows.extend(places.iter().map(|(word, &id)| (*word, own.get(id))));
    let fresh = |word: &str| !word.contains('_') && !places.contains_key(word);
    let gained = (0i64..).zip(&other).filter(|(_, word)| fresh(word));
    rows.extend(gained.map(|(row, word)| (word.as_str(), mapped.get(row))));
    rows.sort_by_key(|(word, _)| *word);
    let wanted = facts.get("table_words_sorted")?.texts()?;
    let names: Vec<&str> = rows.iter().map(|(word, _)| *word).collect();
    group.same(
        "words of the table",
        names,
        wanted.iter().map(String::as_str).collect(),
    );
    let rows: Vec<Tensor> = rows.into_iter().map(|(_, row)| row).collect();
    let found = Tensor::stack(&rows, 0);
    let wanted = numbers.get("table")?;
    match fitted > vectors.size()[1] {
        true => group.close("the expanded table", &found, &wanted),
        false => close_but_for_one_direction(group, &found, &wanted)?,
    }
    let left = numbers.unseen();
    group.holds(&format!("not covered: {left:?}"), left.is_empty());
    Ok(())
}

/// What the map makes of foreign vectors, and how many words it was fitted on.
fn mapped(
    foreign: (&Tensor, &[String]),
    own: (&Tensor, &HashMap<&str, i64>),
) -> Result<(Tensor, i64)> {
    let (vectors, words) = foreign;
    let shared = (0i64..).zip(words);
    let shared = shared.filter_map(|(row, word)| Some((row, *own.1.get(word.as_str())?)));
    let (from, to): (Vec<i64>, Vec<i64>) = shared.unzip();
    let pick = |table: &Tensor, rows: &[i64]| table.index_select(0, &Tensor::from_slice(rows));
    let map = regress(&pick(vectors, &from), &pick(own.0, &to))?;
    let (map, intercept) = (map.slice(0, 0, -1, 1), map.slice(0, -1, None, 1));
    let mapped = vectors.to_kind(Kind::Double).matmul(&map) + intercept;
    Ok((mapped.to_kind(Kind::Float), from.len() as i64))
}

/// With fewer words than numbers in a vector the original's regression in float32 takes the rounding of one singular value,
/// which is zero, for a number: its table is the shortest solution but for that one direction.
fn close_but_for_one_direction(group: &mut Group, found: &Tensor, wanted: &Tensor) -> Result<()> {
    let gap = (found - wanted).to_kind(Kind::Double);
    let (_, sizes, _) = gap.svd(true, false);
    let sizes = Vec::<f64>::try_from(sizes)?;
    let second = sizes.get(1).copied().unwrap_or(0.0);
    let scale = wanted.abs().max().double_value(&[]);
    group.within("the expanded table", second / scale);
    group.note("equal but for one direction, which rounding decides".to_owned());
    Ok(())
}

/// A photo network of the starter bundle against its published form; its weights are where the set-up puts them.
fn efficientnet(path: &Path, device: Device, group: &mut Group) -> Result<()> {
    let numbers = Numbers::open(path, device)?;
    let input = numbers.get("input")?;
    let cache = std::env::var_os("STORYTELLER_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/storyteller"));
    let weights = cache
        .or_else(home)
        .unwrap_or_default()
        .join(path.file_name().unwrap_or_default())
        .with_extension("pth");
    if !weights.exists() {
        let reason = "it is not there, and nothing is compared: run scripts/setup-weights.sh";
        return Err(Error::format(weights.display().to_string(), reason));
    }
    let network = EfficientNet::load(&read_pth(&weights)?.to_device(device))?;
    group.close(
        "features",
        &network.features(&input),
        &numbers.get("features")?,
    );
    Ok(())
}
