// How this process was started among others: by torchrun, Slurm's srun or Open MPI's mpirun.
#pragma once

#include <string>

namespace trivium {

struct Launch {
  int rank = 0, size = 1;
  int sharing_cores = 1;              // how many of them have this host's cores together
  std::string address = "127.0.0.1";  // where the processes find one another
  int port = 29500;
  bool launcher_serves = false;  // the launcher keeps the store there; otherwise process 0 does
  std::string attempt = "0";     // which of the launcher's tries this is, if it starts anew
};

// From the variables of the environment: RANK and WORLD_SIZE (torchrun), SLURM_PROCID and
// SLURM_STEP_NUM_TASKS (srun), OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE (mpirun); and, of all
// three, MASTER_ADDR and MASTER_PORT, which only torchrun sets by itself and which processes of one
// host do without. torchrun's processes share a host's cores, LOCAL_WORLD_SIZE of them; the other
// launchers give each its own. A process alone where none is set. Error kUsage where they make no
// sense.
Launch launch_from_environment();

// Error kUsage where a launcher has started several processes for what runs in one.
void refuse_several(const Launch& launch);

}  // namespace trivium
