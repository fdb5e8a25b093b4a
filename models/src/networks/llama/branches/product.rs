//! Products of a few rows with a small matrix that changes with the text, as attention has them: too small for libtorch, which
//! spends as long on its way to them and on packing the matrix. Each number is summed in order, whatever stands beside it.

use multiversion::multiversion;

/// Rows and columns of a tile, whose sums stay in registers; what is left over goes by narrower ones.
const ROWS: usize = 4;
const WIDE: usize = 32;
const NARROW: usize = 8;

/// Numbers (K, N), row after row.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    numbers: &'a [f32],
    inner: usize,
    out: usize,
}

/// Rows (B, K) times a matrix (K, N) → (B, N), all row after row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn product(rows: &[f32], matrix: &[f32], inner: usize) -> Vec<f32> {
    let out = matrix.len() / inner;
    let matrix = Matrix {
        numbers: matrix,
        inner,
        out,
    };
    let mut found = vec![0.0; rows.len() / inner * out];
    let blocks = rows.chunks(ROWS * inner);
    for (rows, found) in blocks.zip(found.chunks_mut((ROWS * out).max(1))) {
        if rows.len() == ROWS * inner {
            all_columns::<ROWS>(rows, matrix, found);
            continue;
        }
        for (row, found) in rows.chunks_exact(inner).zip(found.chunks_exact_mut(out)) {
            all_columns::<1>(row, matrix, found);
        }
    }
    found
}

#[inline(always)]
fn all_columns<const ROWS: usize>(rows: &[f32], matrix: Matrix, found: &mut [f32]) {
    let mut at = 0;
    while at + WIDE <= matrix.out {
        tile::<ROWS, WIDE>(rows, matrix, at, found);
        at += WIDE;
    }
    while at + NARROW <= matrix.out {
        tile::<ROWS, NARROW>(rows, matrix, at, found);
        at += NARROW;
    }
    for at in at..matrix.out {
        tile::<ROWS, 1>(rows, matrix, at, found);
    }
}

/// Columns from `at` on, of so many rows.
#[inline(always)]
fn tile<const ROWS: usize, const COLUMNS: usize>(
    rows: &[f32],
    matrix: Matrix,
    at: usize,
    found: &mut [f32],
) {
    let mut sums = [[0.0f32; COLUMNS]; ROWS];
    for (k, weights) in matrix.numbers.chunks_exact(matrix.out).enumerate() {
        let weights = &weights[at..at + COLUMNS];
        for (row, sums) in sums.iter_mut().enumerate() {
            let x = rows[row * matrix.inner + k];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        found[row * matrix.out + at..][..COLUMNS].copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::super::some;
    use super::*;

    #[test]
    fn each_number_is_its_sum_in_order() {
        for (rows, inner, out) in [(1, 1, 1), (3, 5, 7), (4, 6, 40), (9, 64, 75), (24, 75, 64)] {
            let (left, right) = (some(rows * inner), some(inner * out));
            let found = product(&left, &right, inner);
            assert_eq!(found.len(), rows * out);
            for (at, found) in found.into_iter().enumerate() {
                let (row, column) = (at / out, at % out);
                let terms = (0..inner).map(|k| left[row * inner + k] * right[k * out + column]);
                assert_eq!(found, terms.fold(0.0, |sum, term| sum + term));
            }
        }
    }
}
