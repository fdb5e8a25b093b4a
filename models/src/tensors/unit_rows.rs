//! Rows of unit length: what cosines are taken of.
//! Encoders, the gallery and trainers divide this one way, so that their vectors compare.

use tch::{Kind, Tensor};

/// Divides each row by its length; a row of zeros stays one (the original yields NaN there).
pub fn unit_rows(x: &Tensor) -> Tensor {
    let norms = x.square().sum_dim_intlist(-1i64, true, Kind::Float).sqrt();
    x / norms.where_self(&norms.gt(0.0), &norms.ones_like())
}
