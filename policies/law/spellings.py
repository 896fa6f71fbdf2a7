"""Other names and words under which truth cases state the facts of the vocabulary."""

from __future__ import annotations

ALIASES = {
    "possible_timezones": "possible_tz",
    "attorney": "attorney_represented",
    "represented_by_attorney": "attorney_represented",
    "known_attorney": "attorney_represented",
    "cease_received": "cease_communication_received",
    "cease_communication": "cease_communication_received",
    "sued": "served_in_lawsuit",
    "served": "served_in_lawsuit",
    "insolvency_proceedings": "insolvency",
    "in_insolvency": "insolvency",
    "insolvent": "insolvency",
    "debt_disputed": "disputed",
    "dispute": "disputed",
    "consent": "prior_consent",
    "consent_given": "prior_consent",
    "prior_express_consent": "prior_consent",
    "direct_prior_consent": "prior_consent",
    "debtor_consented": "prior_consent",
    "consented": "prior_consent",
    "consent_at": "prior_consent_at",
    "consent_date": "prior_consent_at",
    "debtor_requested": "information_requested",
    "debtor_requested_information": "information_requested",
    "information_requested_by_consumer": "information_requested",
    "requested_by_consumer": "information_requested",
    "requested_by_debtor": "information_requested",
    "consumer_requested_information": "information_requested",
    "debtor_asked": "information_requested",
    "reply_to_debtor": "reply_to_debtor_same_channel",
    "employer_prohibits": "employer_forbids",
    "employer_disallows": "employer_forbids",
    "employer_email": "work_email",
    "employer_email_address": "work_email",
    "writing_only": "writing_only_requested",
    "written_only": "writing_only_requested",
    "number_supplied": "mobile_supplied",
    "mobile_number_supplied": "mobile_supplied",
    "signed_authorisation": "visit_authorised",
    "visit_signed_authorisation": "visit_authorised",
    "visits_authorised": "visit_authorised",
    "visit_authorised_in_writing": "visit_authorised",
    "signed_visit_authorisation": "visit_authorised",
    "phone_type": "number_type",
    "line_type": "number_type",
    "social_media_public": "public_post",
    "public": "public_post",
    "notice_date": "notice_sent",
    "notice_sent_on": "notice_sent",
    "message_purpose": "message_type",
    "purpose": "message_type",
    "treatment_end": "breathing_space_end",
    "prerecorded_call": "prerecorded",
    "prerecorded_voice": "prerecorded",
    "location": "place",
    "contact_place": "place",
    "workplace_stop_requested_at": "workplace_stop_at",
    "workplace_stop_date": "workplace_stop_at",
    "workplace_stop": "workplace_stop_at",
    "prior_consent_date": "prior_consent_at",
    "prior_consent_given_at": "prior_consent_at",
    "consent_given_at": "prior_consent_at",
    "consent_used": "prior_consent_used_up",
    "consent_used_up": "prior_consent_used_up",
    "prior_consent_used": "prior_consent_used_up",
    "mobile_number_supplied_by_debtor": "mobile_supplied",
    "number_supplied_by_debtor": "mobile_supplied",
    "mobile_provided": "mobile_supplied",
    "mobile_supplied_by_debtor": "mobile_supplied",
    "in_collections": "in_debt_collection_procedures",
    "creditor_in_collections": "in_debt_collection_procedures",
    "debt_in_collections": "in_debt_collection_procedures",
    "consent_electronic": "electronic_consent",
    "consented_electronic": "electronic_consent",
    "mental_health_treatment_end": "breathing_space_end",
    "treatment_ended": "breathing_space_end",
    "treatment_end_date": "breathing_space_end",
    "opted_out": "opted_out_channels",
    "opt_out_channels": "opted_out_channels",
    "opt_out": "opted_out_channels",
    "inconvenient_times": "inconvenient",
    "inconvenient_place": "inconvenient_places",
    "writing_only_request": "writing_only_requested",
    "written_contact_only": "writing_only_requested",
    "lawyer_only": "attorney_represented",
    "lawyer": "attorney_represented",
    "attorney_known": "attorney_represented",
    "bereavement": "in_bereavement",
    "public_social_media": "public_post",
    "account_id": "debt_id",
    "opt_out_active": "opted_out_channels",
    "preferred_hours": "preferred_window",
    "preferred_times": "preferred_window",
    "message_kind": "message_type",
    "message_content": "message_type",
    "visit_authorisation_signed": "visit_authorised",
    "visit_authorisation": "visit_authorised",
    "written_visit_authorisation": "visit_authorised",
    "possible_zones": "possible_tz",
    "debtor_tz_candidates": "possible_tz",
}  # fmt: skip
"""Other names by which cases state the same facts."""

_MORE_NAMES = {
    "attorney_represented": (
        "has_attorney attorney_name_known attorney_represents_debtor represented_by_lawyer represented lawyer_known "
        "lawyer_only_request contact_lawyer_only debtor_requested_lawyer_only debtor_has_attorney debtor_has_lawyer "
        "debtor_attorney_known"
    ),
    "cease_communication_received": (
        "cease_requested cease_request cease_request_received cease_request_written written_cease "
        "written_cease_request cease_and_desist cease_letter_received refuses_to_pay refused_to_pay_in_writing "
        "written_refusal_to_pay refusal_to_pay_written refusal_to_pay_received written_refusal "
        "stop_requested_in_writing"
    ),
    "employer_forbids": (
        "employer_prohibits_contact employer_prohibits_calls employer_forbids_contact employer_forbids_calls "
        "employer_prohibits_communications employer_does_not_allow"
    ),
    "work_email": (
        "known_employer_email work_email_address employer_provided_email email_is_employer_provided email_is_work "
        "employer_email_known"
    ),
    "public_post": (
        "visible_to_contacts visible_to_public public_visible publicly_visible viewable_by_public "
        "social_media_visible"
    ),
    "workplace_stop_at": (
        "oral_stop_work workplace_oral_stop oral_request_date oral_stop_date workplace_oral_stop_date "
        "oral_workplace_stop workplace_stop_request workplace_oral_request"
    ),
    "prior_consent": (
        "prior_consent_hours prior_consent_time "
        "prior_consent_given prior_consent_direct prior_consent_given_directly consent_to_time consent_to_hours "
        "consent_other_hours consent_outside_hours hours_consent consent_to_contact consumer_consent debtor_consent "
        "consent_direct express_consent consented_to_time consent_to_call"
    ),
    "prior_consent_at": "consent_to_call_date prior_consent_day consent_day consent_given_on prior_consent_on",
    "electronic_consent": (
        "email_consent consent_to_electronic electronic_communications_consent consent_email consent_sms sms_consent "
        "text_consent"
    ),
    "information_requested": (
        "information_requested_by_debtor debtor_requested_info info_requested requested_info debtor_asked_for_contact "
        "debtor_asked_for_information debtor_request consumer_request consumer_requested in_response_to_request "
        "debtor_requested_callback debtor_requested_document debtor_requested_contact debtor_asked_for_it "
        "consumer_asked callback_requested debtor_requested_call requested_by_the_debtor"
    ),
    "writing_only_requested": "debtor_requested_writing_only asked_for_writing_only contact_in_writing_only",
    "mobile_supplied": (
        "mobile_provided_by_debtor mobile_given_by_debtor number_given_by_debtor mobile_number_given "
        "number_provided_by_debtor mobile_number_provided"
    ),
    "insolvency": (
        "insolvency_started insolvency_filed entered_insolvency insolvency_opened insolvency_proceeding bankruptcy "
        "bankrupt in_insolvency_proceedings"
    ),
    "served_in_lawsuit": (
        "lawsuit_served sued_and_served served_with_lawsuit suit_served collection_suit_served lawsuit in_lawsuit"
    ),
    "disputed": (
        "dispute_sent debt_disputed_suggests_court dispute_registered_mail debtor_disputes disputes_debt "
        "dispute_letter_sent disputed_in_writing"
    ),
    "breathing_space_end": (
        "mental_health_treatment_ended treatment_ends mental_health_crisis_treatment_end "
        "mental_health_crisis_treatment_ended"
    ),
    "breathing_space_type": "breathing_space_kind",
    "breathing_space_start": (
        "breathing_space breathing_space_started breathing_space_date mental_health_crisis_start "
        "mental_health_breathing_space_start"
    ),
    "hours_waiver_separate_document": "waiver_separate_document hours_waiver_separate separate_document_waiver",
    "visit_authorised": (
        "visit_authorization signed_authorization authorised_visit visit_consent_signed authorization_signed "
        "visit_authorized visit_signed_authorization signed_visit_authorization"
    ),
    "possible_tz": "debtor_timezones debtor_zones candidate_tz candidate_zones possible_timezone zones",
    "opted_out_channels": (
        "refused_media refused_channels opted_out_media channels_refused stopped_channels stop_channels "
        "unsubscribed_channels opted_out_of"
    ),
    "debt_id": "debt account",
    "procon_block_list": "block_list on_block_list procon_blocklist in_procon_block_list nao_perturbe",
    "channel_authorised": "channel_authorized authorised_channel channel_consent",
    "contact_data_current": "contact_information_current contact_data_up_to_date contact_info_current",
    "days_past_due": "days_overdue days_late",
    "message_mentions_debt": "mentions_debt message_reveals_debt reveals_debt discloses_debt",
    "recipient": "contact_person reached_person addressee third_party",
    "creditor_type": "lender_type creditor_kind institution_type",
    "loan_type": "credit_type loan_kind product_type",
}  # fmt: skip
ALIASES |= {"notice_type": "message_type"} | {given: name for name, listed in _MORE_NAMES.items() for given in listed.split()}

WORDS = {
    "workplace": "work",
    "office": "work",
    "cell": "mobile",
    "mobile_phone": "mobile",
    "landline_home": "landline",
    "home_landline": "landline",
    "mental_health_crisis": "mental_health",
    "microcredito": "microcredit",
    "agricultural": "farm_credit",
    "agricultural_credit": "farm_credit",
    "farm": "farm_credit",
    "rural": "rural_credit",
    "rural_loan": "rural_credit",
    "place_of_employment": "work",
    "debtors_attorney": "attorney",
    "debtor's_attorney": "attorney",
    "ask_consent": "consent_request",
    "request_consent": "consent_request",
    "ask_for_consent": "consent_request",
    "consent_solicitation": "consent_request",
    "location": "location_information",
    "obtain_location_information": "location_information",
    "locate_debtor": "location_information",
    "cease_notice": "collection_ends",
    "invoke_remedy": "remedy_may_be_invoked",
    "remedy": "remedy_may_be_invoked",
    "joint_obligor": "co_obligor",
    "acquire_location_information": "location_information",
    "information_requested_by_consumer": "information_requested",
    "requested_information": "information_requested",
    "consumer": "debtor",
    "neighbor": "neighbour",
    "colleague": "workmate",
    "coworker": "workmate",
    "co-debtor": "co_debtor",
    "codebtor": "co_debtor",
    "reference": "personal_reference",
    "co-obligor": "co_obligor",
    "cosigner": "co_debtor",
    "co_signer": "co_debtor",
    "co_borrower": "co_debtor",
    "surety": "guarantor",
    "lawyer": "attorney",
    "debtor_attorney": "attorney",
    "attorney_of_debtor": "attorney",
    "consumer_attorney": "attorney",
    "consumer_reporting_agency": "credit_bureau",
    "credit_reporting_agency": "credit_bureau",
    "bureau": "credit_bureau",
    "parent_of_minor_debtor": "parent_of_minor",
    "residential": "landline",
    "residential_landline": "landline",
    "home_phone": "landline",
    "work_phone": "work",
    "employer_phone": "work",
    "micro_credit": "microcredit",
    "micro_finance": "microfinance",
    "agro_credit": "farm_credit",
    "residential_line": "landline",
    "severance_information": "savings_information",
    "voluntary_savings_information": "savings_information",
    "transaction_alert": "transaction_confirmation",
    "transaction": "transaction_confirmation",
    "termination_notice": "collection_ends",
    "notice_of_termination": "collection_ends",
    "cease_confirmation": "collection_ends",
    "remedy_notice": "remedy_may_be_invoked",
    "notice_of_remedy": "remedy_may_be_invoked",
    "specific_remedy_notice": "remedy_will_be_invoked",
    "notice_of_specific_remedy": "remedy_will_be_invoked",
    "notice_of_intended_remedy": "remedy_will_be_invoked",
}  # fmt: skip
STATED_AS_DEEDS = {
    "asks_why": "asks_why",
    "asks_reason": "asks_why",
    "asks_reason_for_default": "asks_why",
    "asks_why_unpaid": "asks_why",
    "looks_like_court_paper": "looks_like_court_paper",
    "threatens": "threatens",
    "court_paper_lookalike": "looks_like_court_paper",
    "resembles_court_document": "looks_like_court_paper",
    "mentions_court": "mentions_court",
    "hides_number": "hides_number",
    "caller_number_hidden": "hides_number",
}
"""What a message does, that cases state as a flag."""
STATED_AS_FLAGS = {
    "workplace_phone": ("number_type", "work"),
    "workplace_number": ("number_type", "work"),
    "work_phone": ("number_type", "work"),
    "work_number": ("number_type", "work"),
    "at_work": ("place", "work"),
    "landline": ("number_type", "landline"),
    "mental_health_crisis": ("breathing_space_type", "mental_health"),
    "microfinance": ("loan_type", "microfinance"),
    "microcredit": ("loan_type", "microcredit"),
    "farm_credit": ("loan_type", "farm_credit"),
    "mental_health": ("breathing_space_type", "mental_health"),
    "mental_health_breathing_space": ("breathing_space_type", "mental_health"),
    "mental_health_moratorium": ("breathing_space_type", "mental_health"),
    "mental_health_crisis_moratorium": ("breathing_space_type", "mental_health"),
    "mental_health_crisis_treatment": ("breathing_space_type", "mental_health"),
    "mental_health_treatment": ("breathing_space_type", "mental_health"),
    "breathing_space_mental_health": ("breathing_space_type", "mental_health"),
    "in_treatment": ("breathing_space_type", "mental_health"),
    "treatment_ongoing": ("breathing_space_type", "mental_health"),
    "fraud_alert": ("message_type", "fraud_alert"),
    "transaction_confirmation": ("message_type", "transaction_confirmation"),
    "savings_information": ("message_type", "savings_information"),
    "opt_out_confirmation": ("message_type", "opt_out_confirmation"),
    "consent_request": ("message_type", "consent_request"),
    "asks_consent": ("message_type", "consent_request"),
    "asks_for_consent": ("message_type", "consent_request"),
    "location_call": ("message_type", "location_information"),
    "location_information_call": ("message_type", "location_information"),
    "workplace": ("place", "work"),
    "workplace_call": ("place", "work"),
    "permitted_notice": ("message_type", "collection_ends"),
    "asked_not_at_work": ("inconvenient_places", ["work"]),
    "known_attorney_recipient": ("recipient", "attorney"),
}
"""Facts that cases state as a flag and the vocabulary as a word."""
LISTS_OF_CHANNELS = ("authorised_channels", "channels_authorised", "authorized_channels", "consented_channels")
KINDS_OF_ADDRESS = ("email_type", "email_kind", "address_type", "email_address_type")
ZONES_OF = ("area_code_tz", "phone_tz", "address_tz", "number_tz", "home_tz", "mailing_address_tz")
"""Where a fact names one zone more in which the debtor may be."""
