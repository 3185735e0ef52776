//! The reconcilers of applications, against the simulated cluster: whatever somebody does to it, a pass finds it, puts
//! it right where it may, and the pass after that writes nothing.

mod departed;
mod drift;
mod repairs;
mod serving;
mod vacant;
mod watch;
