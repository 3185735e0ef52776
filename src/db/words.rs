//! Columns of status words as the enums of [`crate::domain::status`]. A word that this release does not know is an error of
//! the row that has it.

use std::str::FromStr;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

use crate::domain::{
    ApplicationStatus, DeploymentStatus, Direction, OperationStatus, PreviewStatus, StepStatus, StoreStatus,
};

macro_rules! columns {
    ($($status:ty),+ $(,)?) => {$(
        impl Type<Postgres> for $status {
            fn type_info() -> PgTypeInfo {
                <str as Type<Postgres>>::type_info()
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                <str as Type<Postgres>>::compatible(ty)
            }
        }

        impl<'r> Decode<'r, Postgres> for $status {
            fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                let word = <&str as Decode<Postgres>>::decode(value)?;
                Self::from_str(word).map_err(|_| format!("{word:?} is no {}", stringify!($status)).into())
            }
        }
    )+};
}

columns!(ApplicationStatus, DeploymentStatus, Direction, OperationStatus, PreviewStatus, StepStatus, StoreStatus);
