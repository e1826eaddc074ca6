//! Makes the stubs from proto/, for the services that the journey calls and all that they import.

use std::error::Error;

const PROTO: &str = "../../../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let mut config = tonic_prost_build::Config::new();
    config.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    // The names by which the details of an error are found.
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "::tonic_types::pb")
        .include_file("stubs.rs")
        .compile_with_config(
            config,
            &[
                "ostiary/error/v1/error_detail.proto",
                "ostiary/error/v1/error_reason.proto",
                "ostiary/flow/v1/flow_service.proto",
                "ostiary/flow/v1/login_service.proto",
                "ostiary/flow/v1/registration_service.proto",
                "ostiary/session/v1/session_service.proto",
            ],
            &[PROTO],
        )?;
    Ok(())
}
