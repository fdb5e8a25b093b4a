//! Decoder, beam search and whole stories against the original: texts and order exactly, costs to
//! 1e-5.

use super::golden::{Golden, assert_close, original, search, sets};
use models::Beam;
use models::beam::{Hypothesis, best};
use models::decoder::Decoder;
use models::rules::Rules;
use models::sampler::{Sampler, SamplerOptions};
use models::writing::{Draft, write};
use serde_json::Value;
use tch::{Kind, Tensor};

const DECODERS: [&str; 2] = ["romance", "romance_nodout"];

fn ids(list: &Value) -> Vec<i64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect()
}

fn number(case: &Value, name: &str) -> usize {
    case[name].as_u64().unwrap() as usize
}

#[test]
fn decoder_steps_are_the_original_ones() {
    for golden in sets() {
        for name in DECODERS {
            let decoder = golden.decoder(name);
            let start = decoder.start(&golden.array("dec_ctx"));
            assert_close(
                &start,
                &golden.array(&format!("{name}_f_init")),
                1e-5,
                "f_init",
            );
            for step in 0..3 {
                let get = |part: &str| golden.array(&format!("{name}_f_next{step}_{part}"));
                let words = get("y").to_kind(Kind::Int64);
                let (scores, states) = decoder.step(&words, &get("state_in"));
                assert_close(
                    &scores.softmax(1, Kind::Float),
                    &get("probs"),
                    1e-5,
                    "probs",
                );
                assert_close(&states, &get("state_out"), 1e-5, "state_out");
            }
        }
    }
}

#[test]
fn a_chain_of_greedy_steps_stays_with_the_original() {
    for golden in sets() {
        for name in DECODERS {
            let decoder = golden.decoder(name);
            let get = |part: &str| golden.array(&format!("{name}_chain_{part}"));
            let words = get("words").to_kind(Kind::Int64);
            let mut state = decoder.start(&golden.array("dec_ctx").narrow(0, 0, 1));
            let mut word = Tensor::from_slice(&[-1i64]);
            for step in 0..words.size()[0] {
                let (scores, next) = decoder.step(&word, &state);
                let probabilities = scores.softmax(1, Kind::Float);
                assert_close(
                    &probabilities.get(0),
                    &get("probs").get(step),
                    1e-5,
                    "probs",
                );
                assert_close(&next.get(0), &get("states").get(step), 1e-5, "states");
                word = words.get(step).view([1]);
                assert_eq!(
                    probabilities.argmax(1, false).int64_value(&[0]),
                    word.int64_value(&[0])
                );
                state = next;
            }
        }
    }
}

/// Ours against one case of the file: number, order, lengths, costs and the texts it lists.
fn assert_same_search(found: &[Hypothesis], case: &Value) {
    let at = format!(
        "{} ctx {} k {} maxlen {}",
        case["dec"], case["ctx"], case["k"], case["maxlen"]
    );
    assert_eq!(found.len(), number(case, "n"), "{at}");
    let lengths: Vec<i64> = found.iter().map(|h| h.words.len() as i64).collect();
    assert_eq!(lengths, ids(&case["lengths"]), "{at}");
    for (ours, theirs) in found.iter().zip(case["scores"].as_array().unwrap()) {
        let theirs = theirs.as_f64().unwrap();
        let error = (f64::from(ours.cost) - theirs).abs() / theirs.abs().max(1.0);
        assert!(error < 1e-5, "{at}: cost {} instead of {theirs}", ours.cost);
    }
    for (ours, theirs) in found.iter().zip(case["first_samples"].as_array().unwrap()) {
        assert_eq!(ours.words, ids(theirs), "{at}");
    }
    for pair in case["best"].as_array().unwrap() {
        let place = pair[0].as_u64().unwrap() as usize;
        assert_eq!(found[place].words, ids(&pair[1]), "{at} place {place}");
    }
}

fn thought(golden: &Golden, case: &Value) -> Tensor {
    golden.array("dec_ctx").get(number(case, "ctx") as i64)
}

#[test]
fn every_beam_search_finds_the_original_texts_in_the_original_order() {
    for golden in sets() {
        for name in DECODERS {
            let decoder = golden.decoder(name);
            for case in golden.json["beam"].as_array().unwrap() {
                if case["dec"] != name || case["argmax_branch"] == true {
                    continue;
                }
                let mut options = original(number(case, "k"), number(case, "maxlen"));
                options.rules.allow_unknown = case["use_unk"] == true;
                let found = search(&decoder, &thought(&golden, case), options.clone());
                assert_same_search(&found, case);
                options.exhaustive = false;
                let early = search(&decoder, &thought(&golden, case), options);
                assert_eq!(
                    best(&early),
                    best(&found),
                    "stopping early changed the story"
                );
            }
        }
    }
}

#[test]
fn no_temperature_is_a_beam_of_one() {
    for golden in sets() {
        for name in DECODERS {
            let decoder = golden.decoder(name);
            for case in golden.json["beam"].as_array().unwrap() {
                if case["dec"] != name || case["argmax_branch"] == true || case["k"] != 1 {
                    continue;
                }
                let mut rules = Rules::original(number(case, "maxlen"));
                rules.allow_unknown = case["use_unk"] == true;
                let options = SamplerOptions {
                    temperature: 0.0,
                    top_p: 1.0,
                    seed: 1,
                    rules,
                };
                let drafts = vec![Draft::Sample(Sampler::new(options))];
                let thought = thought(&golden, case).view([1, -1]);
                let written = write(&decoder, &thought, drafts, &mut |_, _| true);
                let story = written.into_iter().next().flatten().unwrap();
                assert_same_search(&story.into_hypotheses(), case);
            }
        }
    }
}

/// The story of the original for one thought; `None` where it crashed for want of words.
fn tell(
    golden: &Golden,
    decoder: &Decoder,
    thought: &Tensor,
    width: usize,
    unknown: bool,
) -> Option<String> {
    let mut options = original(width, 1000);
    options.exhaustive = false;
    options.rules.allow_unknown = unknown;
    let found = search(decoder, thought, options);
    best(&found).map(|hypothesis| golden.text(hypothesis.text()))
}

#[test]
fn the_sampler_prints_the_original_texts() {
    for golden in sets() {
        let decoders = DECODERS.map(|name| (name, golden.decoder(name)));
        for case in golden.json["run_sampler"].as_array().unwrap() {
            let decoder = &decoders
                .iter()
                .find(|(name, _)| case["dec"] == *name)
                .unwrap()
                .1;
            let unknown = case["use_unk"] == true;
            let thought = thought(&golden, case);
            let text = tell(
                &golden,
                decoder,
                &thought,
                number(case, "beam_width"),
                unknown,
            );
            assert_eq!(text.as_deref(), case["text"].as_str(), "{case}");
        }
    }
}

#[test]
fn every_story_reads_as_the_original_told_it() {
    for golden in sets() {
        let decoder = golden.decoder("romance");
        for case in golden.json["stories"].as_array().unwrap() {
            let thought = golden.array(case["shift_key"].as_str().unwrap());
            let text = tell(&golden, &decoder, &thought, number(case, "bw"), false);
            assert_eq!(text.as_deref(), case["passage"].as_str(), "{case}");
        }
    }
}

#[test]
fn a_story_is_bit_for_bit_the_same_alone_and_in_company() {
    for golden in sets() {
        let decoder = golden.decoder("romance");
        let thoughts = golden.array("dec_ctx");
        let count = thoughts.size()[0];
        let widths = [50, 3, 17, 1, 64, 30];
        let draft = |i: i64| {
            let mut options = original(widths[i as usize % widths.len()], 40);
            options.exhaustive = false;
            Draft::Beam(Beam::new(options))
        };
        let drafts = (0..count).map(draft).collect();
        let together = write(&decoder, &thoughts, drafts, &mut |_, _| true);
        for (i, written) in together.into_iter().enumerate() {
            let row = thoughts.narrow(0, i as i64, 1);
            let alone = write(&decoder, &row, vec![draft(i as i64)], &mut |_, _| true);
            let alone = alone
                .into_iter()
                .next()
                .flatten()
                .unwrap()
                .into_hypotheses();
            assert_eq!(written.unwrap().into_hypotheses(), alone);
        }
    }
}

#[test]
fn a_dropped_story_leaves_the_others_as_they_were() {
    let golden = sets().remove(0);
    let decoder = golden.decoder("romance");
    let thoughts = golden.array("dec_ctx").narrow(0, 0, 3);
    let drafts = || {
        (0..3)
            .map(|_| Draft::Beam(Beam::new(original(5, 30))))
            .collect()
    };
    let all = write(&decoder, &thoughts, drafts(), &mut |_, _| true);
    let some = write(&decoder, &thoughts, drafts(), &mut |story, steps| {
        story != 1 || steps < 3
    });
    for (i, (a, b)) in all.into_iter().zip(some).enumerate() {
        let b = b.map(Draft::into_hypotheses);
        assert_eq!(b.is_none(), i == 1);
        assert!(i == 1 || b == a.map(Draft::into_hypotheses));
    }
}
