// What DPDK's AF_XDP driver never frees: the UMEM's bookkeeping (see dataplane/io/xsk_sockets.h) and the BPF
// object that it loaded. Only LeakSanitizer looks for this function.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)

extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:xsk_umem__create\nleak:libbpf.so\n";
}
