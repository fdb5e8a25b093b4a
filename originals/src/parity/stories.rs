//! Whole stories: the texts that the original printed, from thoughts, from features, and from picture files.
//! Called by `set`; what is compared is every printed sign, so one token in another place is a failure.

use std::path::PathBuf;

use tch::Tensor;

use super::facts::{Fact, Facts, Numbers};
use super::leftovers::Files;
use super::set::Set;
use super::writing::{rules, run, thought};
use super::{CLOSE, Group, Report, pictures, retrieval};
use models::decoding::beam::{BeamOptions, Stop};
use models::decoding::decode_loop::Strategy;
use models::decoding::hypothesis::best;
use models::pipeline::ending;
use models::pipeline::options::Form;
use models::pipeline::picture::original_input;
use models::{Beam, Result, Vgg};

/// So long are the original's stories at most.
const LENGTH: usize = 1000;

/// Adds the groups of texts.
pub(super) fn check(set: &Set, name: &str, report: &mut Report) {
    report.group(format!("{name} sampler texts"), 0.0, |group| {
        sampler(set, group)
    });
    report.group(format!("{name} stories"), 0.0, |group| {
        for case in set.facts.root().get("stories")?.each()? {
            let key = case.get("shift_key")?.text()?;
            let features = set.numbers.get("story_fc7")?;
            let feature = features.narrow(0, case.get("feature")?.whole()? as i64, 1);
            let shifted = set.numbers.get(key)?.view([1, -1]);
            let told = case.find("n_captions").map(|n| n.whole()).transpose()?;
            if let Some(told) = told {
                group.same(key, told, case.get("k")?.whole()?.min(set.gallery.len()));
            }
            compare(set, (&feature, &shifted), &case, group)?;
        }
        Ok(())
    });
}

/// Where the original crashed for want of words there is no text, and an empty story here.
fn sampler(set: &Set, group: &mut Group) -> Result<()> {
    for case in set.facts.root().get("run_sampler")?.each()? {
        let dec = case.get("dec")?.text()?;
        let width = case.get("beam_width")?.whole()?;
        let text = tell(set, dec, &thought(set, &case)?, (width, &case))?;
        let wanted = case.find("text").map(|text| text.text()).transpose()?;
        case.find("error").iter().for_each(Fact::seen);
        let what = format!("{dec} ctx {} beam {width}", case.get("ctx")?.whole()?);
        group.same(&what, text.as_deref(), wanted);
    }
    Ok(())
}

/// The text of the original from a thought (1, C).
fn tell(set: &Set, name: &str, thought: &Tensor, how: (usize, &Fact)) -> Result<Option<String>> {
    let (decoder, words) = set.decoder(name)?;
    let options = BeamOptions {
        width: how.0,
        rules: rules(LENGTH, how.1),
        stop: Stop::WhenDecided,
    };
    let found = run(decoder, thought, Strategy::Beam(Beam::new(options)));
    let text = |ids: &[i64]| {
        let words: Vec<&str> = ids.iter().map(|&id| words.word(id)).collect();
        words.join(" ")
    };
    Ok(best(&found).map(|hypothesis| text(hypothesis.text())))
}

/// A story from a feature (1, F) with its captions, and from the shifted thought (1, C) with all that was printed.
fn compare(set: &Set, from: (&Tensor, &Tensor), case: &Fact, group: &mut Group) -> Result<()> {
    let (k, width) = (case.get("k")?.whole()?, case.get("bw")?.whole()?);
    let at = format!("k {k}, beam {width}");
    let wanted = case.get("captions")?.texts()?;
    let nearest = set.gallery.nearest(&set.vse.embed_images(from.0), k);
    let captions: Vec<&str> = nearest
        .iter()
        .map(|found| set.gallery.caption(found.index))
        .collect();
    group.same(
        &format!("{at}: captions"),
        captions[..wanted.len().min(captions.len())].to_vec(),
        wanted.iter().map(String::as_str).collect(),
    );
    let text = tell(set, "romance", from.1, (width, case))?;
    case.find("error").iter().for_each(Fact::seen);
    let passage = case.find("passage").map(|text| text.text()).transpose()?;
    group.same(&format!("{at}: story"), text.as_deref(), passage);
    let Some(stdout) = case.find("stdout") else {
        return Ok(());
    };
    let printed = printed(
        &captions,
        &text.unwrap_or_default(),
        case.get("lyric")?.holds(),
    );
    group.same(
        &format!("{at}: what is printed"),
        printed.as_str(),
        stdout.text()?,
    );
    Ok(())
}

/// What the original prints.
pub(super) fn printed(captions: &[&str], passage: &str, lyric: bool) -> String {
    let form = if lyric { Form::Lyrics } else { Form::Prose };
    let mut nearest = captions[..captions.len().min(5)].join("\n");
    nearest.push('\n');
    let text = ending::strict(&[passage], form);
    format!("NEAREST-CAPTIONS: \n{nearest}\nOUTPUT: \n{text}\n")
}

/// Stories from picture files, where the set has some.
pub(super) fn check_from_pictures(set: &Set, name: &str, files: &mut Files, report: &mut Report) {
    let file = |kind: &str| set.folder.join(format!("golden_e2e.{kind}"));
    if !file("json").exists() {
        return;
    }
    let device = report.device;
    report.group(format!("{name} stories from pictures"), CLOSE, |group| {
        let numbers = Numbers::open(&file("npz"), device)?;
        let facts = Facts::open(&file("json"))?;
        facts.root().find("note").iter().for_each(Fact::seen);
        let folder = set.folder.join("../images");
        let encoder = pictures::vgg(&folder, device)?;
        for case in facts.root().get("stories")?.each()? {
            let image = folder.join(case.get("image")?.text()?);
            from_picture(set, (&numbers, &case), (&image, encoder.as_ref()), group)?;
        }
        files.numbers(&file("npz"), &numbers);
        files.facts(&file("json"), &facts);
        Ok(())
    });
}

fn from_picture(
    set: &Set,
    case: (&Numbers, &Fact),
    looked: (&PathBuf, Option<&Vgg>),
    group: &mut Group,
) -> Result<()> {
    let (numbers, case) = case;
    let (image, k) = (case.get("image")?.text()?, case.get("k")?.whole()?);
    let key = |part: &str| format!("{}_k{k}_{part}", image.replace('.', "_"));
    let Some(mut feature) = numbers.find(&key("fc7")) else {
        // a picture that the original failed on, such as one with transparency
        case.get("error")?.seen();
        let path = looked.0;
        if path.exists() {
            let read = pictures::as_stored(path).is_ok();
            group.holds(&format!("{image} cannot be read"), read);
        } else {
            group.note(format!("{image} is not in the folder: not read"));
        }
        return Ok(());
    };
    match looked {
        (path, Some(vgg)) if path.exists() && vgg.feature_size() == set.vse.image_size() => {
            let picture = pictures::as_stored(path)?;
            let found = vgg.features(
                &original_input(&picture)
                    .unsqueeze(0)
                    .to_device(feature.device()),
            );
            group.close(&key("fc7"), &found, &feature);
            feature = found;
        }
        _ => group.note("without the picture or its network: told from the feature".to_owned()),
    }
    let feature = feature.view([1, -1]);
    let norm = feature.square().sum(tch::Kind::Float).sqrt();
    if let Some(unit) = numbers.find(&key("fc7_unit")) {
        group.close(&key("fc7_unit"), &(&feature / norm), &unit);
    }
    let embedding = set.vse.embed_images(&feature);
    group.close(&key("embed"), &embedding, &numbers.get(&key("embed"))?);
    let (_, shifted) = retrieval::shifted(set, &feature, k)?;
    group.close(&key("shift"), &shifted, &numbers.get(&key("shift"))?);
    compare(set, (&feature, &shifted.view([1, -1])), case, group)
}
