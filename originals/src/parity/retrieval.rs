//! Pictures and captions in the joint space, the order of all captions, and the shift into a style.
//! Called by `set`; `stories` uses the shift too, for stories that begin with a picture.

use tch::{Kind, Tensor};

use super::set::Set;
use super::{CLOSE, Group, Report};
use models::Result;
use models::networks::skip_thoughts::Encoding;
use models::text::tokenize;

/// Captions whose similarities differ by less may change places: they are equal to float precision.
const TIE: f32 = 1e-6;

/// Adds the groups of retrieval.
pub(super) fn check(set: &Set, name: &str, report: &mut Report) {
    report.group(format!("{name} joint space"), CLOSE, |group| {
        joint_space(set, group)
    });
    report.group(format!("{name} retrieval order"), CLOSE, |group| {
        order(set, group)
    });
    report.group(format!("{name} style shift"), CLOSE, |group| {
        shifts(set, group)
    });
}

fn joint_space(set: &Set, group: &mut Group) -> Result<()> {
    let sentences = set.facts.root().get("vse_sentences_in")?.texts()?;
    for (texts, wanted) in [
        (sentences.as_slice(), "vse_sent_out"),
        (set.gallery.captions(), "cvec"),
    ] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = set.vse.embed_sentences(&texts, &mut |_| {});
        group.close(wanted, &found, &set.numbers.get(wanted)?);
    }
    let found = set.vse.project_images(&set.numbers.get("vse_im_in")?);
    group.close("vse_im_out", &found, &set.numbers.get("vse_im_out")?);
    Ok(())
}

fn order(set: &Set, group: &mut Group) -> Result<()> {
    let features = set.numbers.get("story_fc7")?;
    for picture in 0..features.size()[0] {
        let get = |part: &str| set.numbers.get(&format!("story{picture}_{part}"));
        let embedding = set.vse.embed_images(&features.narrow(0, picture, 1));
        let at = |part: &str| format!("picture {picture}: {part}");
        group.close(&at("embedding"), &embedding, &get("embed")?);
        let scores = get("scores")?;
        group.close(
            &at("scores"),
            &set.gallery.scores(&embedding).view([-1]),
            &scores,
        );
        let order: Vec<i64> = Vec::try_from(get("order")?.to_kind(Kind::Int64))?;
        let scores: Vec<f32> = Vec::try_from(scores)?;
        let found = set.gallery.nearest(&embedding, set.gallery.len());
        group.same(&at("captions"), found.len(), order.len());
        for (place, (ours, theirs)) in found.iter().zip(order).enumerate() {
            let theirs = theirs as usize;
            let same = set.gallery.caption(ours.index) == set.gallery.caption(theirs);
            let gap = (ours.similarity - scores.get(theirs).copied().unwrap_or(f32::NAN)).abs();
            group.holds(
                &at(&format!("place {place} has another caption, {gap} apart")),
                same || gap < TIE,
            );
        }
    }
    for copies in set.facts.root().get("duplicate_captions")?.each()? {
        let places = copies.wholes()?;
        let texts: Vec<&str> = places
            .iter()
            .map(|&i| set.gallery.caption(i as usize))
            .collect();
        group.holds(
            "copies of a caption differ",
            texts.windows(2).all(|two| two[0] == two[1]),
        );
    }
    Ok(())
}

/// Tokens of a caption as the original read it: as bytes, in which it never found a word with an accent.
fn tokens(caption: &str) -> Vec<String> {
    let read = |token: String| match token.is_ascii() {
        true => token,
        false => "UNK".to_owned(),
    };
    tokenize::preprocess(caption)
        .into_iter()
        .map(read)
        .collect()
}

/// The thoughts (K, C) of a feature's nearest captions and their shifted mean (C).
pub(super) fn shifted(set: &Set, feature: &Tensor, k: usize) -> Result<(Tensor, Tensor)> {
    let nearest = set.gallery.nearest(&set.vse.embed_images(feature), k);
    let captions = nearest.iter().map(|found| set.gallery.caption(found.index));
    let texts: Vec<_> = captions.map(tokens).collect();
    let thoughts = set
        .skip_thoughts
        .encode(&texts, Encoding::default(), &mut |_| {});
    let mix = set.styles.mix(&set.romance(), 1.0)?;
    let mean = thoughts.mean_dim(0i64, false, Kind::Float);
    let shifted = set.styles.shift(&mean, &mix);
    Ok((thoughts, shifted))
}

fn shifts(set: &Set, group: &mut Group) -> Result<()> {
    let features = set.numbers.get("story_fc7")?;
    for case in set.facts.root().get("stories")?.each()? {
        let place = case.get("feature")?.whole()? as i64;
        let (thoughts, found) =
            shifted(set, &features.narrow(0, place, 1), case.get("k")?.whole()?)?;
        let key = case.get("shift_key")?.text()?;
        group.close(key, &found, &set.numbers.get(key)?);
        let key = key.replace("_shift", "_svecs");
        if let Some(wanted) = set.numbers.find(&key) {
            // captions of equal similarity may have changed places
            let sum = |t: &Tensor| t.sum_dim_intlist(0i64, false, Kind::Float);
            group.close(&key, &sum(&thoughts), &sum(&wanted));
        }
    }
    Ok(())
}
