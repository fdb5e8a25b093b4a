//! Stories beside each other: what each becomes never depends on its company.

use models::decoding::beam::BeamOptions;
use models::decoding::decode_loop::{Draft, write};
use models::decoding::rules::Rules;
use models::decoding::sampler::{Sampler, SamplerOptions};
use models::{Beam, Decoder};
use originals::formats::read_npz;
use tch::{Device, Tensor};

use super::sets::{original as artefacts, tiny};

/// The original's search with this width and length.
fn original(width: usize, max_len: usize) -> BeamOptions {
    BeamOptions {
        width,
        rules: Rules::original(max_len),
        exhaustive: true,
    }
}

/// A decoder and thoughts (N, C) for it.
fn decoder() -> (Decoder, Tensor) {
    let (decoder, _) = artefacts().decoder("romance", Device::Cpu).unwrap();
    let numbers = read_npz(&tiny().join("s1/golden.npz")).unwrap();
    let thoughts = numbers.iter().find(|(name, _)| name == "dec_ctx").unwrap();
    (decoder, thoughts.1.to_tensor())
}

#[test]
fn no_temperature_is_a_beam_of_one() {
    let (decoder, thoughts) = decoder();
    for row in 0..thoughts.size()[0] {
        let thought = thoughts.narrow(0, row, 1);
        let run = |draft| {
            let written = write(&decoder, &thought, vec![draft], &mut |_, _| true);
            written
                .into_iter()
                .flatten()
                .next()
                .unwrap()
                .into_hypotheses()
        };
        let drawn = run(Draft::Sample(Sampler::new(SamplerOptions {
            temperature: 0.0,
            top_p: 1.0,
            seed: 1,
            rules: Rules::original(40),
        })));
        assert_eq!(drawn, run(Draft::Beam(Beam::new(original(1, 40)))));
    }
}

#[test]
fn a_story_is_bit_for_bit_the_same_alone_and_in_company() {
    {
        let (decoder, thoughts) = decoder();
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
    let (decoder, thoughts) = decoder();
    let thoughts = thoughts.narrow(0, 0, 3);
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
