# Files that GCC reads as one: reading the same headers again is most of what compiling one takes. Only in the release build, which is made
# whole; elsewhere a file is compiled by itself, and so is one that has no line here. Together go such whose names of their own do not meet:
# tests, and what is no part of a packet's way. Data plane and engine are compiled file by file, so that what is inlined there is what each
# file says.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  return()
endif()

function(weir_together target)  # and source files of it
  get_target_property(folder ${target} SOURCE_DIR)
  list(GET ARGN 0 name)
  string(REPLACE "/" "_" name ${name})
  # A file may hide another one's names; the build with sanitizers looks at each by itself.
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP
                        UNITY_BUILD_CODE_BEFORE_INCLUDE "#pragma GCC diagnostic ignored \"-Wshadow\"")
  list(TRANSFORM ARGN PREPEND ${folder}/ OUTPUT_VARIABLE sources)
  set_source_files_properties(${sources} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${name})
endfunction()

weir_together(weir_config document.cpp key_table.cpp keys_policy.cpp validate_profiles.cpp validate_routes.cpp writer.cpp)
weir_together(weir_config diff.cpp reader.cpp route_lines.cpp save.cpp validate_machine.cpp validate_objects.cpp)
weir_together(weir_config keys_machine.cpp sections.cpp tag_expression.cpp validate_nat.cpp values.cpp)
weir_together(weir_config fit.cpp group_cycles.cpp keys_nat.cpp nat_fit.cpp shadowing.cpp validate_route_lines.cpp)
weir_together(weir_config keys_network.cpp markdown.cpp references.cpp rule_sets.cpp toml_values.cpp validate_policy.cpp)
weir_together(weir_config change_reader.cpp keys_operation.cpp problem.cpp schema.cpp validate.cpp validate_attachments.cpp)
weir_together(weir_control builder.cpp control_views.cpp icmp_errors.cpp mailbox.cpp nat_map.cpp reconfigure.cpp)
weir_together(weir_control control.cpp frames.cpp health.cpp path.cpp path_mtu.cpp profile_spec.cpp)
weir_together(weir_control control_changes.cpp health_state.cpp neighbors.cpp steering.cpp underlay_paths.cpp views.cpp)
weir_together(weir_cli answer.cpp change_commands.cpp client.cpp fields.cpp)
weir_together(weir_cli alerts.cpp print.cpp top.cpp)
weir_together(weir_model build_attachment.cpp build_groups.cpp build_nat.cpp file_changes.cpp live_model.cpp)
weir_together(weir_model build_policy.cpp transaction_check.cpp)
weir_together(weir_model transaction.cpp transaction_plan.cpp)
weir_together(weir_daemon hub.cpp machine.cpp signals.cpp stats.cpp translate.cpp)
weir_together(weir explain_command.cpp inspect_command.cpp)
weir_together(weir main.cpp profile_rules.cpp)
weir_together(weir_events eve_file.cpp hub_event.cpp log.cpp recent_alerts.cpp writer.cpp)
weir_together(weir_importer left_out.cpp yaml_tree.cpp)
weir_together(weir_underlay icmp_socket.cpp kernel_links.cpp kernel_resolver.cpp netlink_socket.cpp)
weir_together(weir_underlay neighbor_frames.cpp netlink_messages.cpp port_resolver.cpp underlay.cpp)
weir_together(weir_rules app/transaction.cpp rules/keywords_content.cpp rules/rule_header.cpp rules/source_text.cpp rules/unbound.cpp)
weir_together(weir_rules rules/content_bytes.cpp rules/header_sets.cpp rules/keywords_about.cpp rules/keywords_refused.cpp rules/protocol_names.cpp
  rules/value_text.cpp)
weir_together(weir_rules rules/keywords_app.cpp rules/keywords_buffers.cpp)
weir_together(weir_rules rules/classification.cpp rules/keywords_bytes.cpp rules/language.cpp rules/rule_validate.cpp)
weir_together(weir_rules rules/class_table.cpp rules/keyword.cpp rules/keyword_docs.cpp rules/keywords_packet.cpp rules/reference_table.cpp
  rules/rule_lists.cpp)
weir_together(weir_offline capture.cpp defrag.cpp eve_writer.cpp explain.cpp session_table.cpp)
weir_together(weir_offline decode.cpp inspect.cpp settings.cpp)
weir_together(weir_inspection compile/fast_pattern.cpp compile/pcre_literals.cpp compile/rule_order.cpp compile/rule_summary.cpp magic/file_magics.cpp
  magic/magic_desk.cpp)
weir_together(weir_inspection app/app_events.cpp compile/literal_database.cpp compile/rules_report.cpp events/app_fields.cpp events/eve.cpp
  events/eve_quic.cpp)
weir_together(weir_inspection compile/database_cache.cpp compile/literal_strength.cpp compile/pcre_code.cpp compile/prefilter_group.cpp
  events/event_fields.cpp magic/magic_teller.cpp)
weir_together(weir_inspection compile/compile_rule.cpp compile/detection_ruleset.cpp compile/transform_chains.cpp events/eve_dns.cpp
  events/eve_text.cpp magic/file_magic.cpp)
weir_together(weir_api handlers.cpp json.cpp rule_costs.cpp source.cpp)
weir_together(weir_api changes.cpp configured.cpp server.cpp)

if(NOT WEIR_BUILD_TESTS)
  return()
endif()
weir_together(weir_net_test address_test.cpp parse_l4_test.cpp)
weir_together(weir_net_test checksum_test.cpp parse_quoted_test.cpp)
weir_together(weir_net_test parse_ip_test.cpp parse_link_test.cpp)
weir_together(weir_net_test plain_test.cpp truncation_test.cpp)
weir_together(weir_nat_test bindings_test.cpp port_pool_test.cpp)
weir_together(weir_nat_test family_change_test.cpp nat_owner_test.cpp)
weir_together(weir_nat_test nat64_address_test.cpp rewrite_test.cpp)
weir_together(weir_nat_test ftp_control_test.cpp nptv6_test.cpp)
weir_together(weir_tables_test adjacency_table_test.cpp bgp_routes_test.cpp fragment_table_test.cpp live_hash_test.cpp routes_test.cpp
  tcp_window_test.cpp tunnel_table_test.cpp)
weir_together(weir_tables_test host_table_test.cpp outer_pattern_test.cpp pending_steps_test.cpp prefix_map_test.cpp
  session_table_test.cpp session_timer_test.cpp)
weir_together(weir_tables_test first_packet_test.cpp owner_test.cpp policy_test.cpp routes_threads_test.cpp session_chain_test.cpp
  tcp_state_test.cpp)
weir_together(weir_config_test change_reader_test.cpp docs_test.cpp machine_errors_test.cpp problem_test.cpp save_test.cpp)
weir_together(weir_config_test hostile_test.cpp nat_errors_test.cpp reader_test.cpp route_lines_test.cpp tag_expression_test.cpp)
weir_together(weir_config_test check_test.cpp key_table_test.cpp policy_errors_test.cpp routes_file_test.cpp writer_test.cpp)
weir_together(weir_config_test defaults_test.cpp routing_errors_test.cpp syntax_errors_test.cpp)
weir_together(weir_control_test api_test.cpp control_test.cpp events_test.cpp health_test.cpp path_mtu_test.cpp path_test.cpp
  rules_top_test.cpp)
weir_together(weir_control_test changes_test.cpp health_state_test.cpp icmp_errors_test.cpp model_test.cpp neighbors_test.cpp
  policy_model_test.cpp top_test.cpp)
weir_together(weir_control_test control_reload_test.cpp control_transactions_test.cpp profiles_test.cpp)
weir_together(weir_model_test nat_test.cpp random_changes_test.cpp transaction_test.cpp)
weir_together(weir_inspection_test byte_pool_test.cpp event_fields_test.cpp file_magic_test.cpp inspector_test.cpp)
weir_together(weir_inspection_test eve_schema_test.cpp event_ring_test.cpp rule_lists_test.cpp)
weir_together(weir_inspection_test eve_test.cpp language_test.cpp profile_test.cpp)
weir_together(weir_inspection_test inline_events_test.cpp segmentation_test.cpp session_memory_test.cpp)
weir_together(weir_detection_test database_cache_test.cpp detect_bytes_test.cpp detect_reference_test.cpp detector_test.cpp
  host_marks_test.cpp)
weir_together(weir_detection_test address_rules_test.cpp dataset_table_test.cpp explain_test.cpp pcre_literals_test.cpp
  prefilter_group_test.cpp reload_test.cpp rule_counts_test.cpp)
weir_together(weir_detection_test detect_config_test.cpp detect_transaction_test.cpp real_rules_test.cpp rule_fuse_test.cpp
  verdict_test.cpp)
weir_together(weir_engine_test ceilings_test.cpp decode_test.cpp http2_test.cpp quic_bypass_test.cpp workers_test.cpp)
weir_together(weir_engine_test dns_test.cpp ftp_test.cpp name_finder_test.cpp quic_test.cpp)
weir_together(weir_engine_test name_question_test.cpp parser_ceilings_test.cpp smtp_test.cpp ssh_test.cpp)
weir_together(weir_engine_test inline_clock_test.cpp labels_test.cpp segmentation_test.cpp tcp_track_test.cpp)
weir_together(weir_engine_test keyword_applications_test.cpp keyword_buffers_test.cpp keyword_contents_test.cpp keyword_outcomes.cpp
  keyword_outcomes_test.cpp keyword_packets_test.cpp)
weir_together(weir_engine_test mailbox_test.cpp recognise_test.cpp tls_identity_test.cpp tls_test.cpp)
weir_together(weir_http_test bodies_test.cpp ceilings_test.cpp events_test.cpp heads_test.cpp segmentation_test.cpp uri_test.cpp)
weir_together(packet_tests drops_test.cpp fragments_test.cpp jumbo_test.cpp nat64_test.cpp pending_test.cpp profile_test.cpp tcp_test.cpp)
weir_together(packet_tests answers_test.cpp forward_test.cpp nat_kinds_test.cpp punt_test.cpp threads_test.cpp)
weir_together(packet_tests drops_elsewhere_test.cpp hostile_sessions_test.cpp icmp_error_test.cpp nat_servers_test.cpp nat_test.cpp
  rule_effects_test.cpp workers_test.cpp)
weir_together(packet_tests garbage_test.cpp inspect_life_test.cpp nat_sessions_test.cpp native_test.cpp policy_test.cpp
  session_flood_test.cpp)
weir_together(packet_tests generations_test.cpp inspect_test.cpp names_test.cpp probe_test.cpp sessions_test.cpp tunnels_test.cpp)
weir_together(weir_session_model bindings.cpp fragments.cpp odd.cpp packet.cpp tcp.cpp)
weir_together(weir_session_model bytes.cpp decision.cpp model.cpp random_network.cpp traffic.cpp)
weir_together(weir_session_model first.cpp leaving.cpp network.cpp sessions.cpp tunnel.cpp)
weir_together(weir_hitless_parts core_watch.cpp endure.cpp floods.cpp traffic.cpp transactions.cpp)
weir_together(weir_hitless_parts checker.cpp churn.cpp frame.cpp rig.cpp)
weir_together(weir_hitless_parts dips.cpp sabotage.cpp trial.cpp world.cpp)
