// Groups that contain each other. Used for files and for changes of the running hub alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

struct GroupCycle {
  size_t group = 0;     // whose list closes it, by place
  std::string name;     // by naming this one
  std::string message;  // for people
};

/// Each cycle is told once. `find` gives a group's place by its name, or null if there is none.
void find_group_cycles(const std::vector<const Group*>& groups,
                       const std::function<const size_t*(const std::string& name)>& find,
                       const std::function<void(const GroupCycle&)>& tell);

}  // namespace weir::config
