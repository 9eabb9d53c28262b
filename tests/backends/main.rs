//! The suite on the device that `BURN_KTO_DEVICE` names, flex if it names none.

mod suite;

fn device_name() -> String {
    std::env::var("BURN_KTO_DEVICE").unwrap_or_else(|_| "flex".into())
}
