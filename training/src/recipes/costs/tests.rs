//! Costs against their plain formulas in 64 bits: their values, and the gradients that are trained on.

use super::*;
use rand::SeedableRng as _;

/// A matrix of fixed numbers between −2 and 2 that asks for gradients.
fn numbers(rows: usize, columns: usize, seed: f64) -> Tensor {
    let number = |n: usize| (2.0 * (seed + 1.7 * n as f64).sin()) as f32;
    let flat: Vec<f32> = (0..rows * columns).map(number).collect();
    let tensor = Tensor::from_slice(&flat).view([rows as i64, columns as i64]);
    tensor.set_requires_grad(true)
}

fn plain(tensor: &Tensor) -> Vec<Vec<f64>> {
    Vec::<Vec<f64>>::try_from(tensor.detach().to_kind(Kind::Double)).unwrap()
}

/// Softmax of a row, as it is written down.
fn softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|score| score.exp()).sum();
    row.iter().map(|score| score.exp() / sum).collect()
}

fn turned(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = 0..matrix[0].len();
    columns
        .map(|column| matrix.iter().map(|row| row[column]).collect())
        .collect()
}

#[track_caller]
fn alike(found: &[Vec<f64>], wanted: &[Vec<f64>]) {
    for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((found - wanted).abs() < 2e-5, "{found} instead of {wanted}");
    }
    assert_eq!(found.len(), wanted.len());
}

#[track_caller]
fn near(found: &Tensor, wanted: f64) {
    let found = found.double_value(&[]);
    let error = (found - wanted).abs() / wanted.abs().max(1.0);
    assert!(error < 1e-5, "{found} instead of {wanted}");
}

/// −Σ log p over targets, and its gradient by score: p, less one at the target.
fn surprise_of(scores: &[Vec<f64>], targets: &[usize]) -> (f64, Vec<Vec<f64>>) {
    let mut slopes: Vec<Vec<f64>> = scores.iter().map(|row| softmax(row)).collect();
    let rows = slopes.iter_mut().zip(targets);
    let cost = rows.map(|(row, &target)| {
        let cost = -row[target].ln();
        row[target] -= 1.0;
        cost
    });
    (cost.sum(), slopes)
}

#[test]
fn the_mean_cost_of_words_is_that_of_its_formula() {
    let scores = numbers(5, 7, 0.3);
    let targets = [2usize, 0, 6, 6, 3];
    let (cost, mut slopes) = surprise_of(&plain(&scores), &targets);
    let ids: Vec<i64> = targets.iter().map(|&id| id as i64).collect();
    let found = surprise(&scores, &Tensor::from_slice(&ids)) / 5.0;
    near(&found, cost / 5.0);
    found.backward();
    slopes.iter_mut().flatten().for_each(|slope| *slope /= 5.0);
    alike(&plain(&scores.grad()), &slopes);
}

#[test]
fn a_sampled_cost_looks_at_its_words_only_and_leaves_the_others_alone() {
    let (states, weight, bias) = (numbers(4, 3, 0.1), numbers(9, 3, 0.8), numbers(1, 9, 0.5));
    let targets = [5i64, 2, 5, 7];
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let classes = Classes::drawn(&Tensor::from_slice(&targets), 9, 2, &mut random);
    let words = Vec::<i64>::try_from(&classes.words).unwrap();
    assert_eq!(words[..3], [5, 2, 7]);
    assert!((3..=5).contains(&words.len()));
    let cost = sampled(&states, &weight, &bias.view([9]), &classes);
    cost.backward();
    // the formula over the chosen words
    let (s, w, b) = (plain(&states), plain(&weight), plain(&bias));
    let score = |state: &[f64], word: i64| {
        let dot: f64 = state
            .iter()
            .zip(&w[word as usize])
            .map(|(x, y)| x * y)
            .sum();
        dot + b[0][word as usize]
    };
    let scores: Vec<Vec<f64>> = s
        .iter()
        .map(|state| words.iter().map(|&word| score(state, word)).collect())
        .collect();
    let places = targets.map(|target| words.iter().position(|&word| word == target).unwrap());
    let (wanted, slopes) = surprise_of(&scores, &places);
    near(&cost, wanted);
    let mut of_states = vec![vec![0.0; 3]; 4];
    let (mut of_weight, mut of_bias) = (vec![vec![0.0; 3]; 9], vec![0.0; 9]);
    for (n, slopes) in slopes.iter().enumerate() {
        for (slope, &word) in slopes.iter().zip(&words) {
            of_bias[word as usize] += slope;
            for place in 0..3 {
                of_states[n][place] += slope * w[word as usize][place];
                of_weight[word as usize][place] += slope * s[n][place];
            }
        }
    }
    alike(&plain(&states.grad()), &of_states);
    alike(&plain(&weight.grad()), &of_weight);
    alike(&plain(&bias.grad()), &[of_bias]);
}

#[test]
fn all_words_are_the_sampled_cost_of_everything() {
    let (states, weight, bias) = (numbers(4, 3, 0.1), numbers(9, 3, 0.8), numbers(1, 9, 0.5));
    let targets = Tensor::from_slice(&[5i64, 2, 5, 7]);
    let found = sampled(
        &states,
        &weight,
        &bias.view([9]),
        &Classes::all(&targets, 9),
    );
    let scores = states.matmul(&weight.tr()) + &bias;
    near(&found, surprise(&scores, &targets).double_value(&[]));
}

#[test]
fn the_contrastive_cost_is_that_of_its_formula_and_a_second_caption_is_no_wrong_answer() {
    let scores = numbers(4, 4, 0.6);
    // the first and the third caption are of one picture
    let pictures = Tensor::from_slice(&[3i64, 8, 3, 1]);
    let found = contrastive(&scores, &pictures);
    found.backward();
    let mut seen = plain(&scores);
    (seen[0][2], seen[2][0]) = (-1e4, -1e4);
    let right: Vec<usize> = (0..4).collect();
    let (forth, of_rows) = surprise_of(&seen, &right);
    let (back, of_columns) = surprise_of(&turned(&seen), &right);
    near(&found, 0.5 * (forth + back));
    let of_columns = turned(&of_columns);
    let slopes: Vec<Vec<f64>> = of_rows
        .iter()
        .zip(&of_columns)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect())
        .collect();
    assert_eq!(slopes[0][2], 0.0, "nothing pulls at a second caption");
    alike(&plain(&scores.grad()), &slopes);
}

#[test]
fn the_hinge_counts_wrong_pairs_in_both_directions() {
    let scores = numbers(3, 3, 0.9);
    let found = margin(&scores, 0.2);
    let s = plain(&scores);
    let mut wanted = 0.0;
    for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
        if row != column {
            wanted += (s[row][column] - s[row][row] + 0.2).max(0.0);
            wanted += (s[row][column] - s[column][column] + 0.2).max(0.0);
        }
    }
    near(&found, wanted);
}
