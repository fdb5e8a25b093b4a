//! The decoder: single steps, greedy chains, and every beam search with all its hypotheses.
//! Called by `set`; texts must be equal, in content and order, and costs close.

use tch::{Kind, Tensor};

use super::facts::Fact;
use super::set::Set;
use super::{CLOSE, Group, Report};
use models::decoding::beam::{BeamOptions, Stop};
use models::decoding::decode_loop::{Strategy, write};
use models::decoding::hypothesis::{Hypothesis, best};
use models::decoding::rules::Rules;
use models::text::vocabulary::START;
use models::{Beam, Decoder, Error, Result};

/// Adds the groups of the decoder.
pub(super) fn check(set: &Set, name: &str, report: &mut Report) {
    report.group(format!("{name} decoder steps"), CLOSE, |group| {
        steps(set, group)
    });
    report.group(format!("{name} greedy chains"), CLOSE, |group| {
        chains(set, group)
    });
    report.group(format!("{name} beam search"), CLOSE, |group| {
        beams(set, group, false)
    });
    report.group(format!("{name} drawn texts"), CLOSE, |group| {
        beams(set, group, true)
    });
}

fn steps(set: &Set, group: &mut Group) -> Result<()> {
    for (name, decoder, _) in &set.decoders {
        let start = decoder.start(&set.numbers.get("dec_ctx")?);
        let key = format!("{name}_f_init");
        group.close(&key, &start, &set.numbers.get(&key)?);
        for step in 0.. {
            let key = |part: &str| format!("{name}_f_next{step}_{part}");
            let Some(words) = set.numbers.find(&key("y")) else {
                break;
            };
            let states = set.numbers.get(&key("state_in"))?;
            let (scores, next) = decoder.step(&words.to_kind(Kind::Int64), &states);
            let probs = scores.softmax(1, Kind::Float);
            group.close(&key("probs"), &probs, &set.numbers.get(&key("probs"))?);
            group.close(
                &key("state_out"),
                &next,
                &set.numbers.get(&key("state_out"))?,
            );
        }
    }
    Ok(())
}

fn chains(set: &Set, group: &mut Group) -> Result<()> {
    for (name, decoder, _) in &set.decoders {
        let get = |part: &str| set.numbers.get(&format!("{name}_chain_{part}"));
        let (words, probs, states) = (get("words")?, get("probs")?, get("states")?);
        let words = words.to_kind(Kind::Int64);
        let mut state = decoder.start(&set.numbers.get("dec_ctx")?.narrow(0, 0, 1));
        let mut word = words.new_full([1], START, (Kind::Int64, words.device()));
        for step in 0..words.size()[0] {
            let at = |part: &str| format!("{name} step {step}: {part}");
            let (scores, next) = decoder.step(&word, &state);
            let found = scores.softmax(1, Kind::Float).get(0);
            group.close(&at("probabilities"), &found, &probs.get(step));
            group.close(&at("state"), &next.get(0), &states.get(step));
            word = words.get(step).view([1]);
            let likeliest = found.argmax(0, false).int64_value(&[]);
            group.same(&at("word"), likeliest, word.int64_value(&[0]));
            state = next;
        }
    }
    Ok(())
}

/// The thought of a case.
pub(super) fn thought(set: &Set, case: &Fact) -> Result<Tensor> {
    let place = case.get("ctx")?.whole()? as i64;
    let thoughts = set.numbers.get("dec_ctx")?;
    if place >= thoughts.size()[0] {
        let reason = format!("a case names row {place} of dec_ctx, which has fewer");
        return Err(Error::format(set.folder.display().to_string(), reason));
    }
    Ok(thoughts.narrow(0, place, 1))
}

/// The original's rules for at most `max_len` words.
pub(super) fn rules(max_len: usize, case: &Fact) -> Rules {
    Rules {
        allow_unknown: case.find("use_unk").is_some_and(|unknown| unknown.holds()),
        ..Rules::original(max_len)
    }
}

/// Writes one text from a thought (1, C).
pub(super) fn run(decoder: &Decoder, thought: &Tensor, strategy: Strategy) -> Vec<Hypothesis> {
    let written = write(decoder, thought, vec![strategy], &mut |_, _| true);
    let strategy = written.into_iter().flatten().next();
    strategy.map(Strategy::into_hypotheses).unwrap_or_default()
}

fn beams(set: &Set, group: &mut Group, drawn: bool) -> Result<()> {
    for case in set.facts.root().get("beam")?.each()? {
        let is_drawn = case
            .find("argmax_branch")
            .is_some_and(|branch| branch.holds());
        if is_drawn != drawn {
            continue;
        }
        let (decoder, _) = set.decoder(case.get("dec")?.text()?)?;
        let thought = thought(set, &case)?;
        let (width, max_len) = (case.get("k")?.whole()?, case.get("maxlen")?.whole()?);
        if drawn {
            first_word(decoder, &thought, &case, group)?;
            continue;
        }
        let beam = |stop| {
            Strategy::Beam(Beam::new(BeamOptions {
                width,
                rules: rules(max_len, &case),
                stop,
            }))
        };
        let found = run(decoder, &thought, beam(Stop::AtFullLength));
        compare(&found, &case, group)?;
        let early = run(decoder, &thought, beam(Stop::WhenDecided));
        let what = format!("{}: stopping early", about(&case)?);
        group.same(&what, best(&early), best(&found));
    }
    Ok(())
}

/// The original's branch without a search writes down the likeliest word each time but goes on from another one, which it
/// draws from a stream of random numbers that exists nowhere else (algorithm.md §5.3). So only the first word can be told,
/// and its probability, which is what the score adds up; of a longer text the score can only be bounded.
fn first_word(decoder: &Decoder, thought: &Tensor, case: &Fact, group: &mut Group) -> Result<()> {
    let at = about(case)?;
    let (scores, _) = decoder.step(
        &Tensor::from_slice(&[START]).to_device(decoder.device()),
        &decoder.start(thought),
    );
    let (probability, likeliest) = scores.softmax(1, Kind::Float).max_dim(1, false);
    let (probability, likeliest) = (probability.double_value(&[0]), likeliest.int64_value(&[0]));
    let texts = case.get("first_samples")?.each()?;
    group.same(
        &format!("{at}: texts"),
        texts.len(),
        case.get("n")?.whole()?,
    );
    case.get("best")?.seen();
    let lengths = case.get("lengths")?.wholes()?;
    let scores = case.get("scores")?.numbers()?;
    for ((text, length), score) in texts.iter().zip(lengths).zip(scores) {
        let words = text.wholes()?;
        group.same(&format!("{at}: length"), words.len() as i64, length);
        group.same(
            &format!("{at}: first word"),
            words.first().copied(),
            Some(likeliest),
        );
        let most = probability + (words.len().max(1) - 1) as f64;
        group.holds(
            &format!("{at}: score {score}"),
            score >= probability - CLOSE && score <= most + CLOSE,
        );
    }
    Ok(())
}

fn about(case: &Fact) -> Result<String> {
    Ok(format!(
        "{} ctx {} k {} maxlen {}",
        case.get("dec")?.text()?,
        case.get("ctx")?.whole()?,
        case.get("k")?.whole()?,
        case.get("maxlen")?.whole()?
    ))
}

/// All hypotheses of a case: number, order, lengths, costs, and the texts that are listed.
fn compare(found: &[Hypothesis], case: &Fact, group: &mut Group) -> Result<()> {
    let at = about(case)?;
    group.same(
        &format!("{at}: hypotheses"),
        found.len(),
        case.get("n")?.whole()?,
    );
    let lengths: Vec<i64> = found.iter().map(|h| h.words.len() as i64).collect();
    group.same(
        &format!("{at}: lengths"),
        lengths,
        case.get("lengths")?.wholes()?,
    );
    for (ours, theirs) in found.iter().zip(case.get("scores")?.numbers()?) {
        group.near(&format!("{at}: a cost"), f64::from(ours.cost), theirs);
    }
    for (ours, theirs) in found.iter().zip(case.get("first_samples")?.each()?) {
        group.same(
            &format!("{at}: a text"),
            ours.words.clone(),
            theirs.wholes()?,
        );
    }
    let best = case.get("best")?;
    best.seen();
    for pair in best.each()? {
        let pair = pair.each()?;
        if let [place, words] = pair.as_slice() {
            let place = place.whole()?;
            let ours = found.get(place).map(|h| h.words.clone());
            group.same(&format!("{at}: text {place}"), ours, Some(words.wholes()?));
        }
    }
    Ok(())
}
