//! Stories written in step, as on a graphics card, are those that each would be alone.

use super::networks::llama;
use super::writer::{told, writer_of};
use models::Result;
use models::decoding::drawing::DrawingRules;
use models::networks::llama::Feed;
use models::pipeline::writer::{Prompt, Reader, Seat, Sentence, Unit, Writer, Written};
use tch::Tensor;

/// Takes the longest sentence, three in all, and makes a stanza of every second line.
struct Longest {
    unit: Unit,
    taken: usize,
}

impl Reader for Longest {
    fn choose(&mut self, sentences: &[Sentence]) -> Result<Option<usize>> {
        self.taken += 1;
        let longest = (0..sentences.len()).max_by_key(|&place| sentences[place].text.len());
        Ok(longest.filter(|&place| !sentences[place].text.is_empty()))
    }
    fn goes_on(&mut self, end_probability: f64) -> bool {
        assert!((0.0..=1.0).contains(&end_probability));
        self.taken < 3
    }
    fn unit(&self) -> Unit {
        self.unit
    }
    fn stanza_ends(&self) -> bool {
        self.taken.is_multiple_of(2)
    }
}

fn rules(seed: u64) -> DrawingRules {
    DrawingRules {
        branches: 4,
        left_open: 1,
        // at other temperatures a rounding error can make another token of a draw
        temperature: if seed.is_multiple_of(2) { 0.0 } else { 0.8 },
        top_p: 0.9,
        weariness: 0.12,
        leaning: vec![(400 + seed as usize, 2.0)],
        no_repeat: 4,
        at_least: 20,
        at_most: 40,
        sentence: 12,
        ends: Vec::new(),
        seed,
    }
}

/// What there is to tell: a seed, and whether it is verse.
type Wish = (u64, Unit);

fn prompt(writer: &Writer, (seed, _): Wish) -> Prompt {
    let wording = "<|im_start|>user\nTell {manner} of this: {caption}{thought}<|im_end|>\n";
    Prompt {
        told: told(writer, wording, seed as f64),
        before: String::new(),
    }
}

fn alone(writer: &Writer, wish: Wish) -> Written {
    let mut reader = Longest {
        unit: wish.1,
        taken: 0,
    };
    let prompt = prompt(writer, wish);
    let written = writer.write(&prompt, &rules(wish.0), &mut reader, &mut |_| true);
    written.unwrap().unwrap()
}

fn in_seat(writer: &Writer, seat: &Seat, wish: Wish) -> Written {
    let _no_grad = tch::no_grad_guard();
    let mut reader = Longest {
        unit: wish.1,
        taken: 0,
    };
    let prompt = prompt(writer, wish);
    let written = seat.write(&prompt, &rules(wish.0), &mut reader, &mut |_| true);
    written.unwrap().unwrap()
}

/// Tells the wishes of each seat, one after the other, all seats at once.
fn together(writer: &Writer, wishes: &[&[Wish]]) -> Vec<Vec<Written>> {
    let (table, seats) = writer.together(3).unwrap();
    let writer = models::tensors::device::shared::Shared::lend(writer);
    std::thread::scope(|scope| {
        scope.spawn(|| table.serve());
        let threads: Vec<_> = seats
            .into_iter()
            .zip(wishes)
            .map(|(seat, &own)| {
                scope.spawn(move || {
                    let own = own.iter();
                    own.map(|&wish| in_seat(writer.get(), &seat, wish))
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn a_story_is_the_same_in_a_seat_alone_and_in_any_company() {
    let writer = writer_of(llama());
    let wishes = [
        (1, Unit::Sentence),
        (2, Unit::Line),
        (3, Unit::Line),
        (4, Unit::Sentence),
    ];
    let [a, b, c, d] = wishes;
    let company = together(&writer, &[&[a, d], &[b], &[c]]);
    let company = [
        &company[0][0],
        &company[1][0],
        &company[2][0],
        &company[0][1],
    ];
    for (wish, told) in wishes.into_iter().zip(company) {
        assert!(!told.text.is_empty(), "{wish:?}");
        if wish.0.is_multiple_of(2) {
            let plain = alone(&writer, wish);
            assert_eq!(plain.text, told.text, "{wish:?}");
            assert!((plain.fluency - told.fluency).abs() < 1e-3, "{wish:?}");
        }
        let seated = &together(&writer, &[&[wish]])[0][0];
        assert_eq!(seated.text, told.text, "{wish:?}");
        assert_eq!(
            seated.fluency, told.fluency,
            "{wish:?} has the very same numbers"
        );
    }
}

#[test]
fn a_row_of_the_table_is_a_text_of_its_own() {
    let _no_grad = tch::no_grad_guard();
    let llama = llama();
    let slots = llama.slots(3, 20).unwrap();
    let ids: Vec<i64> = vec![504, 1848, 335, 260, 2643, 30, 657, 436];
    let whole = |upto: usize| {
        let shown = llama.embed(&Tensor::from_slice(&ids[..upto]).unsqueeze(0));
        llama.forward(&shown).get(0)
    };
    let mut text = llama.cache(1, 8);
    let shown = llama.embed(&Tensor::from_slice(&ids[..4]).unsqueeze(0));
    let _ = llama.extend(&shown, &mut text);
    slots.put(&text, 0, 3);
    let near = |found: &Tensor, wanted: &Tensor| {
        let apart = (found - wanted).abs().max().double_value(&[]);
        assert!(apart < 2e-3, "{apart}");
    };
    // row 2 reads on alone, then rows 0 and 2 side by side, row 0 a token behind
    let feed = |row: usize, at: usize| Feed {
        row,
        id: ids[at],
        at,
    };
    let found = llama.step_slots(&[feed(2, 4)], &slots);
    near(&found.get(2), &whole(5).get(4));
    let found = llama.step_slots(&[feed(0, 4), feed(2, 5)], &slots);
    near(&found.get(0), &whole(5).get(4));
    near(&found.get(2), &whole(6).get(5));
    // what row 2 has read goes to all: row 1, which read nothing, goes on from there
    slots.share(2, [4, 6], [0, 3]);
    let found = llama.step_slots(&[feed(1, 6)], &slots);
    near(&found.get(1), &whole(7).get(6));
}
