//! The sentence encoders: GRUs through masks of any pattern, and thought vectors in every way of encoding.
//! Called by `set` for each set; texts that the original failed on are covered by our own rule for them.

use tch::Tensor;

use super::set::Set;
use super::{CLOSE, Group, Report};
use models::networks::skip_thoughts::Encoding;
use models::text::tokenize;
use models::{Gru, Result};

/// Adds the groups of the sentence encoders.
pub(super) fn check(set: &Set, name: &str, report: &mut Report) {
    report.group(format!("{name} raw encoder graphs"), CLOSE, |group| {
        graphs(set, group)
    });
    report.group(format!("{name} sentence encoders"), CLOSE, |group| {
        encoders(set, group)
    });
    report.group(format!("{name} texts to encode"), 0.0, |group| {
        texts(set, group)
    });
}

fn graphs(set: &Set, group: &mut Group) -> Result<()> {
    use crate::reader::Part;
    let bi = set
        .original
        .weights(Part::BiSkip)?
        .to_device(set.vse.device());
    let uni = Gru::new(
        &set.original
            .weights(Part::UniSkip)?
            .to_device(set.vse.device()),
        "encoder",
    )?;
    let (forward, backward) = (Gru::new(&bi, "encoder")?, Gru::new(&bi, "encoder_r")?);
    let x = set.numbers.get("f_w2v_emb")?;
    let last = x.size()[0] - 1;
    let run = |gru: &Gru, x: &Tensor, mask: &Tensor| gru.run(x, None, Some(mask)).select(0, last);
    let patterns: Vec<&str> = set.numbers.names("f_w2v_mask").collect();
    for pattern in patterns {
        let mask = set.numbers.get(&format!("f_w2v_mask{pattern}"))?;
        let name = format!("f_w2v_out{pattern}");
        group.close(&name, &run(&uni, &x, &mask), &set.numbers.get(&name)?);
        let ways = [
            run(&forward, &x, &mask),
            run(&backward, &x.flip(0), &mask.flip(0)),
        ];
        let name = format!("f_w2v2_out{pattern}");
        group.close(&name, &Tensor::cat(&ways, 1), &set.numbers.get(&name)?);
    }
    Ok(())
}

/// The texts as the original tokenised them. What it took as bytes it never found a word with an accent in; we do, and
/// take it away here to compare.
fn tokens(set: &Set) -> Result<Vec<Vec<String>>> {
    let facts = set.facts.root();
    let kinds = facts.get("encode_sentences_in_type")?.texts()?;
    let texts = facts.get("encode_preprocessed")?.texts()?;
    let as_read = |(text, kind): (&String, &String)| {
        let words = text.split_whitespace();
        words
            .map(|word| match kind == "unicode" || word.is_ascii() {
                true => word.to_owned(),
                false => "UNK".to_owned(),
            })
            .collect()
    };
    Ok(texts.iter().zip(&kinds).map(as_read).collect())
}

fn encoders(set: &Set, group: &mut Group) -> Result<()> {
    let texts = tokens(set)?;
    let encode = |texts: &[Vec<String>], end_mark, normalise| {
        let how = Encoding {
            end_mark,
            normalise,
        };
        set.skip_thoughts.encode(texts, how, &mut |_| {})
    };
    for (end_mark, normalise) in [(false, false), (false, true), (true, false), (true, true)] {
        let found = encode(&texts, end_mark, normalise);
        let name = format!("enc_norm{}_eos{}", u8::from(normalise), u8::from(end_mark));
        group.close(&name, &found, &set.numbers.get(&name)?);
    }
    let pairs: Vec<Tensor> = texts
        .chunks(2)
        .map(|two| encode(two, false, true))
        .collect();
    group.close(
        "enc_batch2",
        &Tensor::cat(&pairs, 0),
        &set.numbers.get("enc_batch2")?,
    );
    for name in ["enc_empty_eos1", "enc_blank_eos1"] {
        group.close(
            name,
            &encode(&[Vec::new()], true, true),
            &set.numbers.get(name)?,
        );
    }
    // the original fails on a text without words; ours is a zero vector and harms no other
    let mut with_gap = texts.clone();
    with_gap.insert(1, Vec::new());
    let found = encode(&with_gap, false, true);
    let zero = found.get(1).abs().max().double_value(&[]);
    group.same("a text without words", zero, 0.0);
    let others = Tensor::cat(
        &[
            found.narrow(0, 0, 1),
            found.narrow(0, 2, texts.len() as i64 - 1),
        ],
        0,
    );
    let wanted = set.numbers.get("enc_norm1_eos0")?;
    group.close("the texts beside it", &others, &wanted);
    Ok(())
}

fn texts(set: &Set, group: &mut Group) -> Result<()> {
    let facts = set.facts.root();
    let given = facts.get("encode_sentences_in")?.texts()?;
    let wanted = facts.get("encode_preprocessed")?.texts()?;
    for (text, wanted) in given.iter().zip(wanted) {
        group.same(
            text,
            tokenize::preprocess(text).join(" "),
            wanted.trim().to_owned(),
        );
    }
    Ok(())
}
