#include "bench/run_cases.h"

int main(int argc, char** argv) { return weir::bench::run_cases(argc, argv); }
